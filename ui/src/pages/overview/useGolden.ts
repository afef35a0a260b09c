import { useMemo } from 'react';
import { useConfigYaml } from '../../api/status';
import { useInstant, useRanges, type RangeResult } from '../../api/query';
import { useScope } from '../../components/scope/useScope';
import { chooseSource, goldenSignals, modelTableExpr, presenceExpr, trafficExpr, type Source } from '../../lib/golden';
import { modelRows, type ModelRow } from '../../lib/overview';
import { rateWindow } from '../../lib/step';
import { longestScrapeInterval } from '../../lib/targets';
import { pointsOf } from '../../lib/values';

const DEFAULT_SCRAPE_MS = 15_000;

/** How often targets are asked, from the server's own configuration. */
export function useScrapeInterval(): number {
  const yaml = useConfigYaml();
  return useMemo(() => longestScrapeInterval(yaml.data ?? '') ?? DEFAULT_SCRAPE_MS, [yaml.data]);
}

const sourcesIn = (result: RangeResult | undefined, counts: (value: number) => boolean): Set<string> =>
  new Set((result?.series ?? []).filter((s) => s.values.some(counts)).map((s) => s.labels['source'] ?? ''));

export interface SourceView {
  /** Undefined while unknown, or where there is nothing. */
  readonly source: Source | undefined;
  readonly available: readonly Source[];
  readonly state: 'loading' | 'nothing' | 'known' | 'failed';
}

/** Which measuring point is drawn: the one asked for in the URL, else the one that saw traffic. */
export function useSource(scrapeMs: number): SourceView {
  const { scope, params, windowFor } = useScope();
  const window = windowFor(60);
  const [presence, traffic] = useRanges(
    [presenceExpr(scope.filters), trafficExpr(scope.filters, rateWindow(window.stepMs, scrapeMs))], window);
  const asked = params.get('source');
  const wanted = asked === 'gateway' || asked === 'engine' ? asked : undefined;
  const evidence = { present: sourcesIn(presence?.data, () => true), busy: sourcesIn(traffic?.data, (v) => v > 0) };
  const source = chooseSource(evidence, wanted);
  const available = (['gateway', 'engine'] as const).filter((s) => evidence.present.has(s));
  if (source) return { source, available, state: 'known' };
  if (presence?.error) return { source: wanted ?? 'gateway', available, state: 'failed' };
  return { source: undefined, available, state: presence?.data && !presence.isPlaceholderData ? 'nothing' : 'loading' };
}

export function useSignals(source: Source, windowMs: number) {
  const { scope } = useScope();
  return useMemo(() => goldenSignals({ source, filters: scope.filters, windowMs }), [source, scope.filters, windowMs]);
}

/** The table of models: the values of now, and the way that led there. */
export function useModelRows(source: Source, scrapeMs: number, enabled: boolean): { rows: readonly ModelRow[]; loading: boolean } {
  const { moment, windowFor } = useScope();
  const window = windowFor(48);
  const now = modelTableExpr(useSignals(source, Math.max(60_000, 4 * scrapeMs)));
  const past = modelTableExpr(useSignals(source, rateWindow(window.stepMs, scrapeMs)));
  const values = useInstant(now, moment, enabled);
  const [history] = useRanges([past], window, enabled);
  const rows = useMemo(() => modelRows(pointsOf(values.data?.result), history?.data), [values.data, history?.data]);
  return { rows, loading: values.isPending };
}
