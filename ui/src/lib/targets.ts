import { parseDuration } from './duration';
import type { Labels } from './labels';

export type TargetHealth = 'up' | 'down' | 'unknown';

export interface Target {
  readonly labels: Labels;
  readonly discovered: Labels;
  readonly pool: string;
  readonly url: string;
  readonly error: string;
  /** 0 if it was never scraped. */
  readonly lastScrapeMs: number;
  readonly durationMs: number;
  readonly health: TargetHealth;
  readonly interval: string;
  readonly timeout: string;
}

export interface Pool {
  readonly name: string;
  readonly up: number;
  readonly total: number;
  /** Failing first. */
  readonly targets: readonly Target[];
}

const RANK: Readonly<Record<TargetHealth, number>> = { down: 0, unknown: 1, up: 2 };

/** Targets by scrape pool: pools with failures first, and within a pool failures first. */
export function groupTargets(targets: readonly Target[]): Pool[] {
  const pools = new Map<string, Target[]>();
  for (const target of targets) pools.set(target.pool, [...(pools.get(target.pool) ?? []), target]);
  const out = [...pools].map(([name, members]) => ({
    name,
    up: members.filter((t) => t.health === 'up').length,
    total: members.length,
    targets: members.sort((a, b) => RANK[a.health] - RANK[b.health] || a.url.localeCompare(b.url)),
  }));
  const missing = (pool: Pool) => Number(pool.up < pool.total);
  return out.sort((a, b) => missing(b) - missing(a) || a.name.localeCompare(b.name));
}

/** Targets with `query` in the address, a label or the error. */
export function filterTargets(targets: readonly Target[], query: string, onlyFailing: boolean): Target[] {
  const wanted = query.trim().toLowerCase();
  return targets.filter((t) => {
    if (onlyFailing && t.health === 'up') return false;
    if (wanted === '') return true;
    const pairs = Object.entries(t.labels).map(([name, value]) => `${name}=${value}`);
    return [t.url, t.error, t.pool, ...pairs].some((part) => part.toLowerCase().includes(wanted));
  });
}

/** The share of its timeout that the last scrape took; undefined where the server does not say. */
export function timeoutShare(target: Target): number | undefined {
  const timeoutMs = parseDuration(target.timeout);
  return timeoutMs ? Math.min(1, target.durationMs / timeoutMs) : undefined;
}

/**
 * The longest scrape interval in a configuration, at most two minutes; undefined if it names none. The pages of this machine
 * and of Sonde itself (`sonde.host`, `sonde.self`) count if they name one of their own; else theirs is the global one or less.
 */
export function longestScrapeInterval(yaml: string): number | undefined {
  const patterns = [/^\s*scrape_interval:\s*["']?([\w.]+)/gm, /^\s*(?:host|self):\n(?:\s+enabled:.*\n)?\s+interval:\s*["']?([\w.]+)/gm];
  const found = patterns.flatMap((pattern) => [...yaml.matchAll(pattern)].map(([, text]) => parseDuration(text ?? '') ?? 0));
  const longest = Math.max(0, ...found.filter((ms) => ms <= 120_000));
  return longest > 0 ? longest : undefined;
}
