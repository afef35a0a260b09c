// @vitest-environment happy-dom
import { afterEach, expect, test, vi } from 'vitest';
import { labels, list, sample } from './check';
import { ask, ApiError } from './client';
import { readInstant, readMatrix } from './query';

function answer(status: number, body: unknown): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(text, { status }))));
}

afterEach(() => vi.unstubAllGlobals());

const failure = async (): Promise<ApiError> => {
  const error: unknown = await ask('query', { query: 'x' }).then(() => undefined, (e: unknown) => e);
  if (!(error instanceof ApiError)) throw new Error('expected an ApiError');
  return error;
};

test('an answer brings its warnings, infos and size', async () => {
  answer(200, { status: 'success', data: [1], warnings: ['w'], infos: ['i'] });
  expect(await ask('labels')).toMatchObject({ data: [1], warnings: ['w'], infos: ['i'], bytes: 62 });
});

test.each([
  [400, { status: 'error', errorType: 'bad_data', error: '1:2: parse error' }, 'bad_data', false],
  [422, { status: 'error', errorType: 'execution', error: 'too many samples' }, 'execution', false],
  [503, { status: 'error', errorType: 'timeout', error: 'timed out' }, 'timeout', false],
  [503, 'Service Unavailable', 'not_ready', true],
  [502, 'Bad Gateway', 'offline', true],
  [404, '404 page not found', 'not_found', false],
  [200, '<html>', 'bad_response', false],
  [200, { status: 'error' }, 'bad_response', false],
])('%j %j is %s', async (status, body, kind, outage) => {
  answer(status, body);
  const error = await failure();
  expect([error.kind, error.isOutage]).toEqual([kind, outage]);
});

test('no answer at all is an outage', async () => {
  vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('Failed to fetch'))));
  expect((await failure()).kind).toBe('offline');
});

test('short questions are read-only, long ones go as a form', async () => {
  answer(200, { status: 'success', data: null });
  await ask('query', { query: 'a b', skip: undefined, 'match[]': ['x', 'y'] });
  expect(vi.mocked(fetch).mock.lastCall?.[0]).toBe('/api/v1/query?query=a+b&match%5B%5D=x&match%5B%5D=y');
  await ask('query', { query: 'x'.repeat(4000) });
  expect(vi.mocked(fetch).mock.lastCall?.[0]).toBe('/api/v1/query');
  expect(vi.mocked(fetch).mock.lastCall?.[1]?.method).toBe('POST');
});

test.each([['1.5', 1.5], ['+Inf', Infinity], ['-Inf', -Infinity], ['1e+21', 1e21]])('sample(%j)', (text, want) => expect(sample(text)).toBe(want));

test('what is not what it should be is refused', () => {
  expect(sample('NaN')).toBeNaN();
  for (const bad of ['', 'x', 1, null]) expect(() => sample(bad)).toThrow(ApiError);
  expect(() => labels({ a: 1 })).toThrow('expected a string');
  expect(() => list('x', (v) => v)).toThrow('expected an array');
  expect(list(null, (v) => v)).toEqual([]);
});

test('a matrix keeps floats, and counts histograms', () => {
  expect(readMatrix({ resultType: 'matrix', result: [
    { metric: { a: '1' }, values: [[1, '2'], [1.5, 'NaN']] },
    { metric: {}, histograms: [[1, { count: '1', sum: '2' }]] },
  ] })).toEqual({ series: [{ labels: { a: '1' }, times: [1, 1.5], values: [2, NaN] }], histograms: 1 });
  expect(() => readMatrix({ resultType: 'vector', result: [] })).toThrow('expected a matrix');
});

test('every instant type is read', () => {
  expect(readInstant({ resultType: 'scalar', result: [1, '2'] })).toEqual({ type: 'scalar', timeS: 1, value: 2 });
  expect(readInstant({ resultType: 'string', result: [1, 'x'] })).toEqual({ type: 'string', timeS: 1, value: 'x' });
  expect(readInstant({ resultType: 'vector', result: [{ metric: { a: '1' }, value: [1, '2'] }, { metric: {}, histogram: [1, { count: '3', sum: '4' }] }] }))
    .toEqual({ type: 'vector', series: [
      { labels: { a: '1' }, points: [{ timeS: 1, value: 2 }] }, { labels: {}, points: [{ timeS: 1, value: { count: 3, sum: 4 } }] },
    ] });
  expect(readInstant({ resultType: 'matrix', result: [{ metric: {}, values: [[1, '2'], [2, '3']] }] })).toMatchObject({ type: 'matrix' });
  expect(() => readInstant({ resultType: 'streams', result: [] })).toThrow();
});
