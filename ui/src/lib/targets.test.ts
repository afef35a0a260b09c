import { expect, test } from 'vitest';
import { filterTargets, groupTargets, longestScrapeInterval, timeoutShare, type Target } from './targets';

const target = (pool: string, url: string, health: Target['health'], error = ''): Target => ({
  pool, url, health, error, labels: { job: pool, zone: 'aa' }, discovered: {}, lastScrapeMs: 0, durationMs: 5000, interval: '15s', timeout: '10s',
});
const all = [target('a', '1', 'up'), target('a', '2', 'up'), target('b', '3', 'up'), target('b', '4', 'down', 'connection refused'), target('b', '5', 'unknown')];

test('failing pools come first, and in them failing targets', () => {
  const pools = groupTargets(all);
  expect(pools.map((p) => [p.name, p.up, p.total])).toEqual([['b', 1, 3], ['a', 2, 2]]);
  expect(pools[0]?.targets.map((t) => t.url)).toEqual(['4', '5', '3']);
});

test.each([['refused', false, ['4']], ['zone=aa', false, ['1', '2', '3', '4', '5']], ['', true, ['4', '5']], ['A', true, ['4', '5']], ['nothing', false, []]] as const)(
  'filterTargets(%j, only failing %j)', (query, failing, want) => expect(filterTargets(all, query, failing).map((t) => t.url)).toEqual(want));

test('a scrape is measured against its timeout', () => {
  expect(timeoutShare(target('a', '1', 'up'))).toBe(0.5);
  expect(timeoutShare({ ...target('a', '1', 'up'), timeout: '' })).toBeUndefined();
});

test.each([
  ['global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: a\n  scrape_interval: 1m\n', 60_000],
  ['global:\n  scrape_interval: 5s\n- scrape_interval: 1h\n', 5000],
  ['global:\n  scrape_interval: 5s\nsonde:\n  host:\n    enabled: true\n    interval: 10s\n  self:\n    interval: 30s\n', 30_000],
  ['rule_files: []\n', undefined],
])('longestScrapeInterval', (yaml, want) => expect(longestScrapeInterval(yaml)).toBe(want));
