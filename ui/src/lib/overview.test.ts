import { expect, test } from 'vitest';
import { modelRows, summarize, toneOf, type SignalValue } from './overview';

const value = (model: string, signal: string, v: number): SignalValue => ({ labels: { model, signal }, value: v });
const healthy = (model: string, ttft = 1): SignalValue[] => [
  value(model, 'requests', 5), value(model, 'errors', 0.001), value(model, 'ttft99', ttft), value(model, 'kv', 0.4), value(model, 'waiting', 0),
];

test('the worst comes first: state, then errors, then the wait', () => {
  const rows = modelRows([
    ...healthy('fine', 1), ...healthy('slow', 4), ...healthy('failing').map((v) => (v.labels['signal'] === 'errors' ? { ...v, value: 0.02 } : v)),
    ...healthy('full').map((v) => (v.labels['signal'] === 'kv' ? { ...v, value: 0.99 } : v)), value('asleep', 'requests', 0),
  ], undefined);
  expect(rows.map((r) => [r.model, r.tone])).toEqual([['full', 'bad'], ['failing', 'warn'], ['slow', 'ok'], ['fine', 'ok'], ['asleep', 'idle']]);
});

test('unknown signals, series without a model and NaN are left out', () => {
  const rows = modelRows([value('a', 'requests', 1), value('a', 'nonsense', 1), value('a', 'ttft99', NaN), { labels: { signal: 'requests' }, value: 1 }], undefined);
  expect(rows).toHaveLength(1);
  expect(rows[0]?.cells.ttft99.value).toBeNull();
});

test('the history is laid on the grid', () => {
  const series = [{ labels: { model: 'a', signal: 'requests' }, times: [0, 30], values: [1, 3] }];
  const [row] = modelRows([], { series, startMs: 0, endMs: 30_000, stepMs: 15_000 });
  expect(row?.cells.requests).toEqual({ value: null, history: [1, null, 3] });
});

test.each([['errors', 0.009, 'ok'], ['errors', 0.01, 'warn'], ['errors', 0.05, 'bad'], ['kv', 0.9, 'warn'], ['ttft99', 999, 'ok'], ['kv', null, 'ok']] as const)(
  'toneOf(%s, %j)', (signal, v, want) => expect(toneOf(signal, v)).toBe(want));

test('the sentence says who serves, that nothing fails, and who is slowest', () => {
  expect(summarize(modelRows([...healthy('a', 1), ...healthy('b', 4.1)], undefined))).toEqual({
    tone: 'ok',
    clauses: [{ kind: 'serving', count: 2 }, { kind: 'errorsBelow', limit: 0.01 }, { kind: 'slowest', model: 'b', seconds: 4.1 }],
  });
});

test('the sentence names what is wrong', () => {
  const rows = modelRows([value('a', 'requests', 1), value('a', 'errors', 0.06), value('a', 'kv', 0.95), value('a', 'waiting', 40)], undefined);
  expect(summarize(rows)).toEqual({
    tone: 'bad',
    clauses: [
      { kind: 'serving', count: 1 }, { kind: 'errorsOf', model: 'a', ratio: 0.06 }, { kind: 'kvFull', model: 'a', ratio: 0.95 },
      { kind: 'waiting', model: 'a', count: 40 },
    ],
  });
});

test('nobody serving is idle, not healthy', () => {
  expect(summarize(modelRows([value('a', 'requests', 0)], undefined))).toEqual({ tone: 'idle', clauses: [{ kind: 'idle', count: 1 }] });
});
