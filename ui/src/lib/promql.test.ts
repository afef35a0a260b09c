import { expect, test } from 'vitest';
import { asCurl, errorPosition, formatFilter, offsetOf, parseFilter, selector, withFilter } from './promql';

test('selectors quote their values', () => {
  expect(selector('up', [])).toBe('up');
  expect(selector('up', [{ name: 'job', op: '=~', value: 'a"b\\' }])).toBe('up{job=~"a\\"b\\\\"}');
});

test.each([
  ['model=deepseek-v3', { name: 'model', op: '=', value: 'deepseek-v3' }],
  ['cluster=~a|b', { name: 'cluster', op: '=~', value: 'a|b' }],
  ['a!=b=c', { name: 'a', op: '!=', value: 'b=c' }],
  ['a!~', { name: 'a', op: '!~', value: '' }],
  ['=x', undefined], ['model', undefined], ['9a=x', undefined],
])('parseFilter(%j)', (text, want) => expect(parseFilter(text)).toEqual(want));

test('a filter survives being written and read', () => {
  for (const text of ['model=x', 'a!=b', 'c=~d.*', 'e!~f']) expect(formatFilter(parseFilter(text) ?? { name: '', op: '=', value: '' })).toBe(text);
});

test('narrowing replaces what stood on the same label', () => {
  const model = { name: 'model', op: '!=', value: 'a' } as const;
  const cluster = { name: 'cluster', op: '=', value: 'c' } as const;
  expect(withFilter([model, cluster], 'model', 'x')).toEqual([{ name: 'model', op: '=', value: 'x' }, cluster]);
  expect(withFilter([], 'model', 'x')).toEqual([{ name: 'model', op: '=', value: 'x' }]);
});

test.each([
  ['invalid parameter "query": 1:39: parse error: unexpected right parenthesis', { line: 1, column: 39 }],
  ['2:5: parse error: unknown function', { line: 2, column: 5 }],
  ['query timed out in expression evaluation', undefined],
])('errorPosition(%j)', (message, want) => expect(errorPosition(message)).toEqual(want));

test.each([[1, 1, 0], [1, 3, 2], [2, 1, 4], [2, 99, 7], [9, 1, 7]])('offsetOf line %j column %j', (line, column, want) =>
  expect(offsetOf('abc\ndef', { line, column })).toBe(want));

test('a curl line survives a shell', () => {
  expect(asCurl('http://h/api/v1/query', { query: "a{b='c'}" })).toBe(
    `curl -fsS -G 'http://h/api/v1/query' --data-urlencode 'query=a{b='\\''c'\\''}'`);
});
