import { expect, test } from 'vitest';
import { alignWindow, chooseStep, rateWindow } from './step';

const HOUR = 3_600_000;

test.each([
  [HOUR, 240, 1000, 15_000], [HOUR, 240, 30_000, 30_000], [5 * 60_000, 240, 1000, 2000], [24 * HOUR, 240, 1000, 600_000],
  [30 * 24 * HOUR, 240, 1000, 14_400_000], [365 * 24 * HOUR, 100, 1000, 604_800_000], [60_000, 240, 1000, 1000], [24 * HOUR, 1_000_000, 1000, 10_000],
])('chooseStep(%j ms, %j points, at least %j)', (range, points, least, want) => expect(chooseStep(range, points, least)).toBe(want));

test('no step asks for more points than the server gives', () => {
  for (let days = 1; days < 4000; days *= 2) {
    expect((days * 24 * HOUR) / chooseStep(days * 24 * HOUR, 1e9)).toBeLessThanOrEqual(11_000);
  }
});

test.each([[15_000, 15_000, 60_000], [60_000, 15_000, 75_000], [600_000, 15_000, 615_000], [1000, 5000, 20_000]])(
  'rateWindow(step %j, scrape %j)', (step, scrape, want) => expect(rateWindow(step, scrape)).toBe(want));

test('windows stand on multiples of the step and are never negative', () => {
  expect(alignWindow(1_000_007, 1_060_009, 15_000)).toEqual({ startMs: 990_000, endMs: 1_050_000 });
  expect(alignWindow(1_000_000, 999_000, 15_000)).toEqual({ startMs: 990_000, endMs: 990_000 });
});
