import { expect, test } from 'vitest';
import { panelLines } from './panel';

const grid = { startMs: 0, endMs: 30_000, stepMs: 15_000 };
const series = (labels: Record<string, string>, ...values: number[]) => ({ labels, times: values.map((_, i) => i * 15), values });

test('names: the query\'s own, the labels that differ, or both', () => {
  const { lines } = panelLines([
    { ...grid, name: 'Running', series: [series({ a: '1' }, 1)] },
    { ...grid, name: 'Load', series: [series({ m: 'x' }, 1), series({ m: 'y' }, 2)] },
    { ...grid, series: [series({ m: 'x' }, 1), series({ m: 'y' }, 2)] },
  ], 50);
  expect(lines.map((l) => l.name)).toEqual(['Running', 'Load · x', 'Load · y', 'x', 'y']);
  expect(new Set(lines.map((l) => l.key)).size).toBe(5);
});

test('too many lines are cut to the greatest, and the rest are counted', () => {
  const { lines, left } = panelLines([{ ...grid, series: [1, 9, 5].map((v) => series({ n: String(v) }, v)) }], 2);
  expect([lines.map((l) => l.name), left]).toEqual([['9', '5'], 1]);
});

test('the newest part gives the grid, and an older one is shown as far as it goes', () => {
  const { times, lines } = panelLines([
    { ...grid, series: [series({ a: 'old' }, 1, 2, 3)] },
    { startMs: 15_000, endMs: 45_000, stepMs: 15_000, series: [{ labels: { a: 'new' }, times: [15, 30, 45], values: [4, 5, 6] }] },
  ], 50);
  expect(times).toEqual([15, 30, 45]);
  expect(lines.map((l) => l.column)).toEqual([[2, 3, null], [4, 5, 6]]);
});

test('nothing gives nothing', () => {
  expect(panelLines([], 50)).toEqual({ times: [], lines: [], left: 0 });
});
