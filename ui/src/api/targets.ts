import { useQuery } from '@tanstack/react-query';
import type { Labels } from '../lib/labels';
import type { Target, TargetHealth } from '../lib/targets';
import { fields, labels, list, optionalNumber, optionalText, text } from './check';
import { ask } from './client';
import { keys } from './keys';

const health = (value: unknown): TargetHealth => (value === 'up' || value === 'down' ? value : 'unknown');

function target(value: unknown): Target {
  const row = fields(value);
  const discovered: Labels = labels(row['discoveredLabels'] ?? {});
  return {
    labels: labels(row['labels'] ?? {}),
    discovered,
    pool: optionalText(row['scrapePool']) || discovered['job'] || '',
    url: text(row['scrapeUrl']),
    error: optionalText(row['lastError']),
    lastScrapeMs: Date.parse(optionalText(row['lastScrape'])) || 0,
    durationMs: optionalNumber(row['lastScrapeDuration']) * 1000,
    health: health(row['health']),
    interval: optionalText(row['scrapeInterval']),
    timeout: optionalText(row['scrapeTimeout']),
  };
}

export interface Targets {
  readonly active: readonly Target[];
  readonly dropped: number;
}

export function useTargets() {
  return useQuery({
    queryKey: keys.targets(),
    queryFn: async ({ signal }): Promise<Targets> => {
      const data = fields((await ask('targets', { state: 'any' }, signal)).data);
      const counts = Object.values(fields(data['droppedTargetCounts'] ?? {})).reduce<number>((sum, n) => sum + optionalNumber(n), 0);
      return { active: list(data['activeTargets'], target), dropped: counts || list(data['droppedTargets'], fields).length };
    },
  });
}
