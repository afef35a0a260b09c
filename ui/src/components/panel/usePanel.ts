import { useComputedColorScheme } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { ApiError } from '../../api/client';
import { useRanges, type RangeResult, type RangeWindow } from '../../api/query';
import type { ChartSeries } from '../../charts/plot';
import { seriesStyle, type ThemeName } from '../../charts/tokens';
import type { Labels } from '../../lib/labels';
import { panelLines, type PanelLine } from '../../lib/panel';

export interface PanelQuery {
  readonly expr: string;
  /** Translated; without one the legend shows the labels that differ. */
  readonly name?: string;
  readonly color?: string;
}

export type PanelState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'error'; readonly error: ApiError }
  | { readonly kind: 'empty' }
  | { readonly kind: 'ready' };

export interface PanelView {
  readonly state: PanelState;
  readonly theme: ThemeName;
  readonly times: readonly number[];
  readonly lines: readonly PanelLine[];
  readonly series: readonly ChartSeries[];
  readonly left: number;
  /** What is shown is old, because the server does not answer: since when. */
  readonly staleSinceMs: number | undefined;
  readonly fetching: boolean;
  readonly results: readonly RangeResult[];
  /** Of several queries, those that failed while others did not. */
  readonly partial: ApiError | undefined;
}

export interface PanelOptions {
  readonly window: RangeWindow;
  readonly enabled?: boolean;
  readonly limit?: number;
  /** The place of a series in the palette; by default its place in the legend. */
  readonly colorOf?: ((labels: Labels) => number | undefined) | undefined;
}

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError('other', error instanceof Error ? error.message : String(error));

/** What a query showed last, kept while the server is away. */
function useLastGood(queries: readonly UseQueryResult<RangeResult>[]): (RangeResult | undefined)[] {
  const kept = useRef<(RangeResult | undefined)[]>([]);
  const results = queries.map((q, i) => {
    if (q.data) return q.data;
    return q.error && asApiError(q.error).isOutage ? kept.current[i] : undefined;
  });
  useEffect(() => {
    kept.current = results;
  });
  return results;
}

function stateOf(queries: readonly UseQueryResult<RangeResult>[], results: readonly (RangeResult | undefined)[], enabled: boolean): PanelState {
  const known = results.filter((r) => r !== undefined);
  if (known.some((r) => r.series.length > 0)) return { kind: 'ready' };
  const failed = queries.find((q) => q.error);
  if (failed) return { kind: 'error', error: asApiError(failed.error) };
  if (!enabled || queries.some((q) => q.isPending || q.isPlaceholderData)) return { kind: 'loading' };
  return { kind: 'empty' };
}

/** Asks a panel's queries over one window and turns the answers into lines. */
export function usePanel(queries: readonly PanelQuery[], options: PanelOptions): PanelView {
  const { window, enabled = true, limit = 50, colorOf } = options;
  const theme = useComputedColorScheme('light');
  const asked = useRanges(queries.map((q) => q.expr), window, enabled);
  const results = useLastGood(asked);
  const names = queries.map((q) => q.name ?? '').join('\n');
  const stamp = results.map((r) => `${r?.startMs ?? 0}:${r?.endMs ?? 0}:${r?.elapsedMs ?? 0}`).join(' ');

  const drawn = useMemo(() => {
    const parts = results.flatMap((r, i) => (r ? [{ ...r, name: queries[i]?.name, at: i }] : []));
    const { times, lines, left } = panelLines(parts, limit);
    const series = lines.map((line, i): ChartSeries => {
      const style = seriesStyle(theme, colorOf?.(line.labels) ?? i);
      const fixed = queries[parts[line.part]?.at ?? 0]?.color;
      return { key: line.key, name: line.name, column: line.column, color: fixed ?? style.color, dash: fixed ? [] : style.dash };
    });
    return { times, lines, series, left };
    // The stamp stands for the results, and the names for the queries.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [stamp, names, theme, limit, colorOf]);

  const state = stateOf(asked, results, enabled);
  const failed = asked.find((q) => q.error);
  const error = failed ? asApiError(failed.error) : undefined;
  const ready = state.kind === 'ready';
  return {
    ...drawn, state, theme,
    staleSinceMs: ready && error?.isOutage ? Math.max(...results.map((r) => r?.endMs ?? 0)) : undefined,
    fetching: asked.some((q) => q.isFetching),
    results: results.filter((r) => r !== undefined),
    partial: ready && error && !error.isOutage ? error : undefined,
  };
}
