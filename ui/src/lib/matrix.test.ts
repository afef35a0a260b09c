import { expect, test } from 'vitest';
import { alignColumn, largest, stackColumns, statsOf, timeGrid, toCsv } from './matrix';

test('a grid has both ends', () => {
  expect(timeGrid(0, 60_000, 15_000)).toEqual([0, 15, 30, 45, 60]);
  expect(timeGrid(1000, 1000, 15_000)).toEqual([1]);
  expect(timeGrid(2000, 1000, 15_000)).toEqual([]);
});

test('absent, NaN and infinite points are gaps, and points outside the grid are dropped', () => {
  const series = { labels: {}, times: [-15, 0, 15.001, 30, 45, 99], values: [9, 1, 2, NaN, Infinity, 9] };
  expect(alignColumn(series, 0, 15_000, 5)).toEqual([1, 2, null, null, null]);
});

test('statistics leave gaps out', () => {
  expect(statsOf([null, 3, 1, null])).toEqual({ last: 1, min: 1, max: 3 });
  expect(statsOf([null])).toEqual({ last: null, min: null, max: null });
});

test('the largest keep their order', () => {
  expect(largest([[1], [9], [5], [null]], 2)).toEqual([1, 2]);
  expect(largest([[1], [2]], 5)).toEqual([0, 1]);
});

test('stacking sums upwards, and only a gap in all is a gap', () => {
  expect(stackColumns([[1, null, null], [2, 2, null]])).toEqual([[1, null, null], [3, 2, null]]);
});

test('CSV quotes what must be quoted', () => {
  expect(toCsv([0, 15], ['a,b', 'c'], [[1, null], [2, 3]])).toBe(
    'time,"a,b",c\n1970-01-01T00:00:00.000Z,1,2\n1970-01-01T00:00:15.000Z,,3\n');
});
