import { expect, test } from 'vitest';
import { applyPanels, EMPTY_PANEL, exploreSearch, parsePanels } from './explore';

const panels = (text: string) => parsePanels(new URLSearchParams(text));

test('an empty page has one empty panel', () => {
  expect(panels('from=now-1h')).toEqual([EMPTY_PANEL]);
});

test.each([
  ['g0.expr=up&g0.tab=1', { expr: 'up', tab: 'table' }],
  ['g0.expr=up&g0.tab=0&g0.stacked=1&g0.range_input=2h&g0.step_input=30', { expr: 'up', tab: 'graph', stacked: true, rangeMs: 7_200_000, stepMs: 30_000 }],
  ['g0.expr=up&g0.tab=graph&g0.display_mode=stacked&g0.res_type=auto&g0.res_density=high', { expr: 'up', stacked: true, density: 'high' }],
  ['g0.expr=up&g0.res_type=fixed&g0.res_step=60', { expr: 'up', stepMs: 60_000 }],
  ['g0.expr=up&g0.end_input=2026-03-01%2014%3A02%3A10', { expr: 'up', endMs: Date.UTC(2026, 2, 1, 14, 2, 10) }],
  ['g0.expr=up&g0.tab=table&g0.moment_input=2026-03-01%2014%3A02', { expr: 'up', tab: 'table', momentMs: Date.UTC(2026, 2, 1, 14, 2) }],
  ['g0.expr=up&g0.range_input=nonsense&g0.end_input=nonsense', { expr: 'up' }],
])('a link from Prometheus is read: %s', (text, want) => expect(panels(text)).toEqual([{ ...EMPTY_PANEL, ...want }]));

test('panels keep their order, with gaps in their numbers closed', () => {
  expect(panels('g7.expr=b&g2.expr=a').map((p) => p.expr)).toEqual(['a', 'b']);
});

test('what is written is read again, and other parameters stay', () => {
  const all = [
    { ...EMPTY_PANEL, expr: 'a + b', stacked: true, stepMs: 15_000, rangeMs: 5_400_000, endMs: 1_772_373_730_000 },
    { ...EMPTY_PANEL, expr: 'c', tab: 'table', density: 'low', momentMs: 1_772_373_730_000 },
  ] as const;
  const written = applyPanels(new URLSearchParams('from=x&g0.expr=old&g9.tab=graph'), all);
  expect(written.get('from')).toBe('x');
  expect(parsePanels(written)).toEqual(all);
});

test('a link to Explore has one panel per expression', () => {
  expect(exploreSearch(new URLSearchParams('from=a'), ['x', 'y'])).toBe('from=a&g0.expr=x&g0.tab=graph&g1.expr=y&g1.tab=graph');
});
