import { expect, test } from 'vitest';
import { differingLabels, formatSeries, labelsKey, legendNames, type Labels } from './labels';

test.each<[Labels, string]>([
  [{}, '{}'],
  [{ __name__: 'up' }, 'up'],
  [{ __name__: 'up', job: 'node', instance: 'a:1' }, 'up{instance="a:1", job="node"}'],
  [{ path: 'C:\\x "y"\nz' }, '{path="C:\\\\x \\"y\\"\\nz"}'],
  [{ __name__: 'http.status', 'service.name': 'a' }, '{"http.status", "service.name"="a"}'],
])('formatSeries(%j)', (labels, want) => expect(formatSeries(labels)).toBe(want));

test.each<[Labels[], string[]]>([
  [[], []],
  [[{ __name__: 'up', job: 'a' }], ['up']],
  [[{ job: 'a' }], ['a']],
  [[{ job: 'a', x: 'b' }], ['{job="a", x="b"}']],
  [[{ model: 'v3', job: 'x' }, { model: 'r1', job: 'x' }], ['v3', 'r1']],
  [[{ a: '1', b: '1' }, { a: '2', b: '2' }], ['a=1 · b=1', 'a=2 · b=2']],
  [[{ __name__: 'x', a: '1' }, { __name__: 'y', a: '2' }], ['x · a=1', 'y · a=2']],
  [[{ a: '1' }, {}], ['1', '∅']],
])('legendNames(%j)', (all, want) => expect(legendNames(all)).toEqual(want));

test('an absent label counts as empty', () => {
  expect(differingLabels([{ a: '' }, {}])).toEqual([]);
  expect(differingLabels([{ a: 'x' }, {}])).toEqual(['a']);
});

test('the order of labels does not matter to a key', () => {
  expect(labelsKey({ b: '2', a: '1' })).toBe(labelsKey({ a: '1', b: '2' }));
});
