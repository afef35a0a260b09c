import { expect, test } from 'vitest';
import { contrast } from '../lib/contrast';
import { timeTicks, valueIncrements, valueRange, valueTicks } from './axis';
import { lonelyPoints, plotData, plotOptions, structureKey, type PlotSpec } from './plot';
import { sparkPath } from './sparkPath';
import { seriesStyle, TOKENS, type ThemeName } from './tokens';

const THEMES: readonly ThemeName[] = ['light', 'dark'];

test.each(THEMES)('every drawn colour stands out from what it is drawn on (%s)', (theme) => {
  const { page, panel, raised, series, quantiles, accent, ok, warn, bad, text, dim, axis } = TOKENS[theme];
  const weak: string[] = [];
  const need = (name: string, color: string, ratio: number) => {
    for (const ground of [page, panel, raised]) if (contrast(color, ground) < ratio) weak.push(`${name} ${color} on ${ground}: ${contrast(color, ground).toFixed(2)}`);
  };
  // WCAG 2.1: 3 for what is drawn, 4.5 for what is read.
  series.forEach((color, i) => need(`series ${i}`, color, 3));
  quantiles.forEach((color, i) => need(`quantile ${i}`, color, 3));
  for (const [name, color] of Object.entries({ accent, ok, warn, bad, text, dim, axis })) need(name, color, 4.5);
  expect(weak).toEqual([]);
});

test('contrast is WCAG\'s', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});

test('when colours are used up, dashes tell the rounds apart', () => {
  const n = TOKENS.light.series.length;
  expect(seriesStyle('light', n).color).toBe(seriesStyle('light', 0).color);
  expect(seriesStyle('light', 0).dash).toEqual([]);
  expect(seriesStyle('light', n).dash).not.toEqual([]);
});

const at = (day: number, hour: number, minute: number) => Date.UTC(2026, 2, day, hour, minute) / 1000;

test('time ticks are clock times, with the day where it changes', () => {
  expect(timeTicks([at(1, 22, 0), at(1, 23, 0), at(2, 0, 0)], 3600, 'utc')).toEqual(['22:00', '23:00', '00:00\n03-02']);
  expect(timeTicks([at(1, 15, 0), at(1, 16, 0)], 3600, 'Asia/Shanghai')).toEqual(['23:00', '00:00\n03-02']);
  expect(timeTicks([at(1, 0, 0)], 15, 'utc')).toEqual(['00:00:00']);
  expect(timeTicks([at(1, 0, 0), at(2, 0, 0)], 86_400, 'utc')).toEqual(['03-01', '03-02']);
  expect(timeTicks([at(1, 0, 0)], 86_400 * 31, 'utc')).toEqual(['2026-03']);
});

test('value ticks have as many digits as it takes', () => {
  expect(valueTicks([0, 0.5, 1], 'seconds')).toEqual(['0 s', '500 ms', '1 s']);
  expect(valueTicks([1000, 1001, 1002], 'short')).toEqual(['1k', '1.001k', '1.002k']);
  expect(valueIncrements('bytes')).toContain(1024);
  expect(valueIncrements('seconds')).toContain(60);
});

test.each<[number | null, number | null, boolean, [number, number]]>([
  [null, null, true, [0, 1]], [0, 0, true, [0, 1]], [2, 10, true, [0, 10.8]], [9, 10, true, [0, 10.8]], [9, 10, false, [8.94, 10.06]], [5, 5, false, [0, 5.4]],
])('valueRange(%j, %j, from zero %j)', (min, max, zero, want) => {
  const [low, high] = valueRange(min, max, 'short', zero);
  expect([low, high].map((v) => Number(v.toFixed(6)))).toEqual(want);
});

test('a ratio is not drawn beyond one, and negative values keep their sign', () => {
  expect(valueRange(0, 0.99, 'ratio', true)[1]).toBe(1.02);
  expect(valueRange(-2, 2, 'short', true)[0]).toBeLessThan(-2);
});

const spec: PlotSpec = {
  series: [{ key: 'a', name: 'a', color: '#111111', dash: [], column: [1, 2] }, { key: 'b', name: 'b', color: '#222222', dash: [4, 2], column: [3, null] }],
  unit: 'short', tz: 'utc', theme: 'light', stacked: true, banded: false, fromZero: true, height: 100,
};
const events = { syncKey: 'x', tzDate: (s: number) => new Date(s * 1000), onCursor: () => undefined, onBrush: () => undefined, onZoomOut: () => undefined };

test('stacked data are sums, and the fills lie between neighbours', () => {
  expect(plotData([0, 15], spec)).toEqual([[0, 15], [1, 2], [4, 2]]);
  expect(plotOptions(spec, 300, events).bands?.map((b) => b.series)).toEqual([[2, 1]]);
});

test('a plot is kept while its structure is', () => {
  expect(structureKey({ ...spec, series: spec.series.map((s) => ({ ...s, column: [9] })) })).toBe(structureKey(spec));
  expect(structureKey({ ...spec, theme: 'dark' })).not.toBe(structureKey(spec));
});

test('many lines are thin and do not dim each other', () => {
  const many = { ...spec, stacked: false, series: Array.from({ length: 40 }, (_, i) => ({ ...spec.series[0]!, key: String(i) })) };
  const options = plotOptions(many, 300, events);
  expect(options.series[1]?.width).toBe(1);
  expect(options.focus?.alpha).toBeGreaterThan(1);
});

test('points that no line reaches are found', () => {
  expect(lonelyPoints([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(lonelyPoints([])).toEqual([]);
});

test('a sparkline lifts its pen over gaps', () => {
  expect(sparkPath([0, 1, null, 1], 32, 18)).toBe('M1.0 16.5L11.0 1.5M31.0 1.5h1');
  expect(sparkPath([null, null], 32, 18)).toBe('');
});
