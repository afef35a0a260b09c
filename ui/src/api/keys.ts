/** A time range or an instant by name: a moving "last hour" keeps one name while its ends move. */
export interface WindowKey {
  readonly key: string;
  readonly moving: boolean;
}

/**
 * Query keys, all built here. What starts with `live` is asked again at every tick of the page's clock; what looks at
 * a range that does not move starts with `fixed`, and is asked again only by hand.
 */
export const keys = {
  live: ['live'] as const,
  range: (expr: string, window: WindowKey, stepMs: number) => [window.moving ? 'live' : 'fixed', 'range', expr, window.key, stepMs] as const,
  instant: (expr: string, moment: WindowKey) => [moment.moving ? 'live' : 'fixed', 'instant', expr, moment.key] as const,
  labelValues: (name: string, match: string, window: string) => ['live', 'values', name, match, window] as const,
  targets: () => ['live', 'targets'] as const,
  status: (what: string) => ['live', 'status', what] as const,
  metricNames: () => ['slow', 'metricNames'] as const,
  labelNames: () => ['slow', 'labelNames'] as const,
  metadata: () => ['slow', 'metadata'] as const,
  config: () => ['slow', 'config'] as const,
  readiness: () => ['readiness'] as const,
};
