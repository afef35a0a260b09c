import { formatFilter, parseFilter, type Matcher } from './promql';
import { isRelative, isTimeZone, resolveTime, type TimeZone } from './time';
import { parseDuration } from './duration';

/** What every page shares, and what every link carries: when, how fresh, in whose time, and of whom. */
export interface Scope {
  readonly from: string;
  readonly to: string;
  /** 0 is off. */
  readonly refreshMs: number;
  readonly tz: TimeZone;
  readonly filters: readonly Matcher[];
}

export const DEFAULT_SCOPE: Scope = { from: 'now-1h', to: 'now', refreshMs: 15_000, tz: 'browser', filters: [] };

/** The search parameters that follow the reader from page to page. */
const SCOPE_PARAMS = ['from', 'to', 'refresh', 'tz', 'f', 'source', 'lang', 'theme'] as const;

export function parseScope(params: URLSearchParams): Scope {
  const from = params.get('from') ?? DEFAULT_SCOPE.from;
  const to = params.get('to') ?? DEFAULT_SCOPE.to;
  const valid = resolveTime(from, 1e12, 'utc') !== undefined && resolveTime(to, 1e12, 'utc') !== undefined;
  const refresh = params.get('refresh');
  const tz = params.get('tz') ?? '';
  return {
    from: valid ? from : DEFAULT_SCOPE.from,
    to: valid ? to : DEFAULT_SCOPE.to,
    refreshMs: refresh === 'off' ? 0 : refresh === null ? DEFAULT_SCOPE.refreshMs : (parseDuration(refresh) ?? DEFAULT_SCOPE.refreshMs),
    tz: isTimeZone(tz) ? tz : DEFAULT_SCOPE.tz,
    filters: params.getAll('f').map(parseFilter).filter((m) => m !== undefined),
  };
}

export type ScopeChange = Partial<{ from: string; to: string; refresh: string; tz: string; filters: readonly Matcher[] }>;

/** The search parameters after a change; what is at its default is left out of the URL. */
export function applyScope(params: URLSearchParams, change: ScopeChange): URLSearchParams {
  const next = new URLSearchParams(params);
  const set = (name: string, value: string | undefined, standard: string) => {
    if (value === undefined) return;
    if (value === standard) next.delete(name);
    else next.set(name, value);
  };
  if (change.from !== undefined && change.to !== undefined) {
    // The pair is written whole, or not at all: half a range in a link is a riddle.
    const standard = change.from === DEFAULT_SCOPE.from && change.to === DEFAULT_SCOPE.to;
    next.delete('from');
    next.delete('to');
    if (!standard) {
      next.set('from', change.from);
      next.set('to', change.to);
    }
  }
  set('refresh', change.refresh, '15s');
  set('tz', change.tz, DEFAULT_SCOPE.tz);
  if (change.filters) {
    next.delete('f');
    for (const filter of change.filters) next.append('f', formatFilter(filter));
  }
  return next;
}

/** Of the parameters of this page, those that the next page gets. */
export function carriedParams(params: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams();
  for (const name of SCOPE_PARAMS) for (const value of params.getAll(name)) next.append(name, value);
  return next;
}

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export function resolveRange(from: string, to: string, nowMs: number, tz: TimeZone): TimeRange {
  const fromMs = resolveTime(from, nowMs, tz) ?? nowMs - 3_600_000;
  const toMs = resolveTime(to, nowMs, tz) ?? nowMs;
  return toMs - fromMs >= 1000 ? { fromMs, toMs } : { fromMs: toMs - 60_000, toMs };
}

/** Whether a later "now" may change what a range shows. */
export const isMoving = (from: string, to: string, toMs: number, nowMs: number): boolean =>
  isRelative(from) || isRelative(to) || toMs > nowMs;

/** Moves a range by a share of its length: -0.5 is half a screen to the past. */
export function shiftRange(range: TimeRange, share: number): TimeRange {
  const by = (range.toMs - range.fromMs) * share;
  return { fromMs: Math.round(range.fromMs + by), toMs: Math.round(range.toMs + by) };
}

/** Zooms about the middle: 2 shows twice as much. */
export function zoomRange(range: TimeRange, factor: number): TimeRange {
  const middle = (range.fromMs + range.toMs) / 2;
  const half = Math.max(500, ((range.toMs - range.fromMs) / 2) * factor);
  return { fromMs: Math.round(middle - half), toMs: Math.round(middle + half) };
}
