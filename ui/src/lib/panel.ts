import { legendNames, labelsKey, type Labels } from './labels';
import { alignColumn, largest, statsOf, timeGrid, type Column, type RangeSeries, type SeriesStats } from './matrix';

/** One query's part of a panel. */
export interface PanelPart {
  readonly series: readonly RangeSeries[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** What the legend calls it; without one, the labels that differ. */
  readonly name?: string | undefined;
}

export interface PanelLine {
  readonly key: string;
  readonly name: string;
  readonly labels: Labels;
  /** Which query it came from. */
  readonly part: number;
  readonly column: Column;
  readonly stats: SeriesStats;
}

export interface PanelLines {
  readonly times: number[];
  readonly lines: readonly PanelLine[];
  /** Lines that there were too many to draw. */
  readonly left: number;
}

function namesOf(part: PanelPart): string[] {
  const names = legendNames(part.series.map((s) => s.labels));
  if (part.name === undefined) return names;
  const { name } = part;
  return part.series.length === 1 ? [name] : names.map((own) => `${name} · ${own}`);
}

/** Puts the results of a panel's queries on one grid of times, under one set of names. */
export function panelLines(parts: readonly PanelPart[], limit: number): PanelLines {
  // While a new window is loading its parts arrive one by one: the newest gives the grid.
  const newest = parts.reduce<PanelPart | undefined>((best, p) => (best && best.endMs >= p.endMs ? best : p), undefined);
  if (!newest) return { times: [], lines: [], left: 0 };
  const { startMs, endMs, stepMs } = newest;
  const times = timeGrid(startMs, endMs, stepMs);
  const all = parts.flatMap((part, at) => {
    const names = namesOf(part);
    return part.series.map((series, i) => ({
      key: `${at}${labelsKey(series.labels)}`, name: names[i] ?? '', labels: series.labels, part: at,
      column: alignColumn(series, startMs, stepMs, times.length),
    }));
  });
  const kept = largest(all.map((line) => line.column), limit);
  const lines = kept.map((i) => all[i]).filter((line) => line !== undefined).map((line) => ({ ...line, stats: statsOf(line.column) }));
  return { times, lines, left: all.length - lines.length };
}
