import type { Labels } from './labels';

/** One series of a range result. `histograms` are counted, not drawn. */
export interface RangeSeries {
  readonly labels: Labels;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export interface SeriesStats {
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export type Column = (number | null)[];

/** Seconds from start to end, both included. */
export function timeGrid(startMs: number, endMs: number, stepMs: number): number[] {
  const count = Math.floor((endMs - startMs) / stepMs + 1e-9) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (startMs + i * stepMs) / 1000);
}

/** Puts a series on the grid. What is absent, NaN or infinite is a gap: no data is not zero. */
export function alignColumn(series: RangeSeries, startMs: number, stepMs: number, length: number): Column {
  const column: Column = new Array<number | null>(length).fill(null);
  for (let i = 0; i < series.times.length; i++) {
    const value = series.values[i];
    const at = Math.round(((series.times[i] ?? 0) * 1000 - startMs) / stepMs);
    if (at >= 0 && at < length && value !== undefined && Number.isFinite(value)) column[at] = value;
  }
  return column;
}

export function statsOf(column: readonly (number | null)[]): SeriesStats {
  let last: number | null = null;
  let min: number | null = null;
  let max: number | null = null;
  for (const value of column) {
    if (value === null) continue;
    last = value;
    if (min === null || value < min) min = value;
    if (max === null || value > max) max = value;
  }
  return { last, min, max };
}

/** Of many series, the indices of the `limit` with the greatest maxima, in their old order. */
export function largest(columns: readonly Column[], limit: number): number[] {
  const order = columns.map((column, index) => ({ index, max: statsOf(column).max ?? -Infinity }));
  if (order.length <= limit) return order.map(({ index }) => index);
  order.sort((a, b) => b.max - a.max);
  return order.slice(0, limit).map(({ index }) => index).sort((a, b) => a - b);
}

/** Running sums from the first column up; a gap adds nothing but stays a gap where all are gaps. */
export function stackColumns(columns: readonly Column[]): Column[] {
  const total: Column = [];
  return columns.map((column) =>
    column.map((value, i) => {
      const below = total[i] ?? null;
      if (value === null && below === null) return null;
      const sum = (below ?? 0) + (value ?? 0);
      total[i] = sum;
      return sum;
    }),
  );
}

/** `time,name,…` with RFC 3339 times; a gap is an empty cell. */
export function toCsv(times: readonly number[], names: readonly string[], columns: readonly Column[]): string {
  const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const rows = times.map((time, i) =>
    [new Date(time * 1000).toISOString(), ...columns.map((column) => String(column[i] ?? ''))].join(','));
  return `${['time', ...names.map(cell)].join(',')}\n${rows.join('\n')}\n`;
}
