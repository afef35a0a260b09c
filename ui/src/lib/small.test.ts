import { expect, test } from 'vitest';
import { gpuHistories, gpuTiles, memoryShare, temperatureTone } from './gpus';
import { matchLanguage, pickLanguage } from './i18n';
import { sortRows, tableColumns } from './resultTable';
import { search } from './search';
import { pointsOf } from './values';
import { yamlTokens } from './yaml';

test('search: all words, starts of parts first, short before long', () => {
  const names = ['go_gc_duration', 'node_load1', 'load', 'node_disk_io_now', 'upload_total'];
  expect(search(names, 'load', (n) => n, 9)).toEqual(['load', 'node_load1', 'upload_total']);
  expect(search(names, 'node io', (n) => n, 9)).toEqual(['node_disk_io_now']);
  expect(search(names, '', (n) => n, 2)).toEqual(['go_gc_duration', 'node_load1']);
  expect(search(names, 'zzz', (n) => n, 9)).toEqual([]);
});

test.each([['zh-Hans-CN', 'zh-CN'], ['ZH', 'zh-CN'], ['en-GB', 'en'], ['fr', undefined], [null, undefined]])('matchLanguage(%j)', (wish, want) =>
  expect(matchLanguage(wish)).toBe(want));

test('the URL wins over the saved language, and that over the browser', () => {
  expect(pickLanguage('zh-CN', 'en', ['en'])).toBe('zh-CN');
  expect(pickLanguage(null, 'zh-CN', ['en'])).toBe('zh-CN');
  expect(pickLanguage(null, undefined, ['fr', 'zh-TW', 'en'])).toBe('zh-CN');
  expect(pickLanguage('xx', undefined, [])).toBe('en');
});

test('a result is a table while its labels fit', () => {
  expect(tableColumns([{ __name__: 'up', b: '1' }, { __name__: 'up', a: '1' }])).toEqual(['__name__', 'a', 'b']);
  expect(tableColumns([{}])).toBeUndefined();
  expect(tableColumns([Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`l${i}`, 'x']))])).toBeUndefined();
});

test('rows sort by value with NaN last, and by label with numbers as numbers', () => {
  const rows = [['10', 1], ['9', NaN], ['a', 3]].map(([i, v]) => ({ labels: { i: String(i) }, points: [{ value: v }] }));
  const order = (wish?: { by: string; down: boolean }) => sortRows(rows, wish).map((r) => r.labels.i);
  expect(order({ by: '', down: true })).toEqual(['a', '10', '9']);
  expect(order({ by: 'i', down: false })).toEqual(['9', '10', 'a']);
  expect(order()).toEqual(['10', '9', 'a']);
});

test('histograms have no one value', () => {
  expect(pointsOf({ type: 'vector', series: [{ labels: { a: '1' }, points: [{ value: 2 }] }, { labels: {}, points: [{ value: { count: 1 } }] }] }))
    .toEqual([{ labels: { a: '1' }, value: 2 }]);
  expect(pointsOf(undefined)).toEqual([]);
});

test('GPU tiles gather their signals and sort by host and number', () => {
  const at = (gpu: string, signal: string, value: number) => ({ labels: { node: 'n1', gpu, uuid: `u${gpu}`, signal }, value });
  const tiles = gpuTiles([at('10', 'utilization', 0.5), at('2', 'memoryUsed', 30), at('2', 'memoryTotal', 40), at('2', 'nonsense', 1)]);
  expect(tiles.map((g) => [g.name, g.utilization, memoryShare(g)])).toEqual([['2', null, 0.75], ['10', 0.5, null]]);
  expect([79, 80, 85, null].map(temperatureTone)).toEqual(['ok', 'warn', 'bad', 'idle']);
});

test('one accelerator under two jobs has one history', () => {
  const series = [{ labels: { node: 'n', gpu: '0', job: 'a' }, times: [0], values: [1] }, { labels: { node: 'n', gpu: '0', job: 'b' }, times: [15], values: [2] }];
  expect([...gpuHistories(series, 0, 15_000, 15_000).values()]).toEqual([[1, 2]]);
});

test.each([
  ['global:', ['key']], ['  - job_name: node', ['text', 'key', 'text']], ['# why', ['comment']], ['password: <secret>', ['key', 'secret']], ['  - just text', ['text']],
])('yamlTokens(%j)', (line, kinds) => {
  const tokens = yamlTokens(line);
  expect(tokens.map((t) => t.kind)).toEqual(kinds);
  expect(tokens.map((t) => t.text).join('')).toBe(line);
});
