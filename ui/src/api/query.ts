import { keepPreviousData, useQueries, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Labels } from '../lib/labels';
import type { RangeSeries } from '../lib/matrix';
import { fields, labels, list, number, sample, text } from './check';
import { ask, ApiError, type Answer } from './client';
import { keys, type WindowKey } from './keys';

export interface HistogramPoint {
  readonly count: number;
  readonly sum: number;
}

/** A point of an instant result: a float, or a native histogram shown by its count and sum. */
export interface Point {
  readonly timeS: number;
  readonly value: number | HistogramPoint;
}

export interface InstantSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

export type InstantResult =
  | { readonly type: 'scalar'; readonly timeS: number; readonly value: number }
  | { readonly type: 'string'; readonly timeS: number; readonly value: string }
  | { readonly type: 'vector' | 'matrix'; readonly series: readonly InstantSeries[] };

/** What came with a result: how dear it was, and what the server wants to say about it. */
export interface ResultNotes {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly samples?: number;
}

export interface RangeResult extends ResultNotes {
  readonly series: readonly RangeSeries[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Series that hold native histograms, which a line cannot show. */
  readonly histograms: number;
}

export interface InstantAnswer extends ResultNotes {
  readonly result: InstantResult;
}

const pair = (value: unknown): readonly [number, unknown] => {
  const [time, second] = list(value, (v) => v);
  return [number(time), second];
};

const floatPoint = (value: unknown): Point => {
  const [timeS, written] = pair(value);
  return { timeS, value: sample(written) };
};

const histogramPoint = (value: unknown): Point => {
  const [timeS, body] = pair(value);
  const { count, sum } = fields(body);
  return { timeS, value: { count: sample(count), sum: sample(sum) } };
};

function instantSeries(value: unknown): InstantSeries {
  const row = fields(value);
  const points = [
    ...(row['value'] === undefined ? [] : [floatPoint(row['value'])]),
    ...(row['histogram'] === undefined ? [] : [histogramPoint(row['histogram'])]),
    ...list(row['values'], floatPoint),
    ...list(row['histograms'], histogramPoint),
  ];
  return { labels: labels(row['metric']), points: points.sort((a, b) => a.timeS - b.timeS) };
}

export function readInstant(data: unknown): InstantResult {
  const { resultType, result } = fields(data);
  const type = text(resultType);
  if (type === 'vector' || type === 'matrix') return { type, series: list(result, instantSeries) };
  const [timeS, value] = pair(result);
  if (type === 'scalar') return { type, timeS, value: sample(value) };
  if (type === 'string') return { type, timeS, value: text(value) };
  throw new ApiError('bad_response', `unknown result type ${type}`);
}

export function readMatrix(data: unknown): { series: RangeSeries[]; histograms: number } {
  const { resultType, result } = fields(data);
  if (resultType !== 'matrix') throw new ApiError('bad_response', `expected a matrix, got ${String(resultType)}`);
  const series: RangeSeries[] = [];
  let histograms = 0;
  for (const row of list(result, fields)) {
    const points = list(row['values'], pair);
    if (list(row['histograms'], (v) => v).length > 0) histograms++;
    if (points.length > 0) {
      series.push({ labels: labels(row['metric']), times: points.map(([t]) => t), values: points.map(([, v]) => sample(v)) });
    }
  }
  return { series, histograms };
}

function notes(answer: Answer): ResultNotes {
  const stats = (answer.data as { stats?: { samples?: { totalQueryableSamples?: unknown } } } | undefined)?.stats;
  const samples = stats?.samples?.totalQueryableSamples;
  const { warnings, infos, bytes, elapsedMs } = answer;
  return { warnings, infos, bytes, elapsedMs, ...(typeof samples === 'number' ? { samples } : {}) };
}

/** What a range query needs. */
export interface RangeWindow extends WindowKey {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** The parameters of a range query, for the request and for the curl line. */
export const rangeParams = (expr: string, window: RangeWindow): Record<string, string> => ({
  query: expr,
  start: String(window.startMs / 1000),
  end: String(window.endMs / 1000),
  step: String(window.stepMs / 1000),
});

export const instantParams = (expr: string, timeMs: number): Record<string, string> => ({ query: expr, time: String(timeMs / 1000) });

async function fetchRange(expr: string, window: RangeWindow, signal: AbortSignal): Promise<RangeResult> {
  const answer = await ask('query_range', { ...rangeParams(expr, window), stats: 'true' }, signal);
  const { startMs, endMs, stepMs } = window;
  return { ...notes(answer), ...readMatrix(answer.data), startMs, endMs, stepMs };
}

const rangeOptions = (expr: string, window: RangeWindow, enabled: boolean) => ({
  queryKey: keys.range(expr, window, window.stepMs),
  queryFn: ({ signal }: { signal: AbortSignal }) => fetchRange(expr, window, signal),
  enabled: enabled && expr.trim() !== '',
  placeholderData: keepPreviousData,
});

/** Several range queries over one window; each keeps its old result while the new one is under way. */
export function useRanges(exprs: readonly string[], window: RangeWindow, enabled = true): UseQueryResult<RangeResult>[] {
  return useQueries({ queries: exprs.map((expr) => rangeOptions(expr, window, enabled)) });
}

export interface InstantMoment extends WindowKey {
  readonly timeMs: number;
}

export function useInstant(expr: string, moment: InstantMoment, enabled = true): UseQueryResult<InstantAnswer> {
  return useQuery({
    queryKey: keys.instant(expr, moment),
    queryFn: async ({ signal }): Promise<InstantAnswer> => {
      const answer = await ask('query', { ...instantParams(expr, moment.timeMs), stats: 'true' }, signal);
      return { ...notes(answer), result: readInstant(answer.data) };
    },
    enabled: enabled && expr.trim() !== '',
    placeholderData: keepPreviousData,
  });
}

/** Asks the server to lay an expression out; it may not know how (404). */
export async function formatExpr(expr: string): Promise<string> {
  return text((await ask('format_query', { query: expr })).data);
}
