import type uPlot from 'uplot';
import type { Column } from '../lib/matrix';
import { stackColumns, statsOf } from '../lib/matrix';
import type { TimeZone } from '../lib/time';
import { formatDate } from '../lib/time';
import type { Unit } from '../lib/units';
import { timeTicks, valueIncrements, valueRange, valueTicks } from './axis';
import { TOKENS, type ThemeName } from './tokens';

// From what a chart shows to uPlot's options and data. Pure: what it draws on comes later.

export interface ChartSeries {
  readonly key: string;
  readonly name: string;
  readonly color: string;
  readonly dash: readonly number[];
  readonly column: Column;
}

export interface PlotSpec {
  readonly series: readonly ChartSeries[];
  readonly unit: Unit;
  readonly tz: TimeZone;
  readonly theme: ThemeName;
  readonly stacked: boolean;
  /** Fill between neighbours: quantiles of one thing. */
  readonly banded: boolean;
  readonly fromZero: boolean;
  readonly height: number;
}

export const FONT = '11px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';

/** What must be the same for a plot to be kept and only given new data. */
export const structureKey = (spec: PlotSpec): string =>
  JSON.stringify([spec.series.map((s) => [s.key, s.color, s.dash]), spec.unit, spec.tz, spec.theme, spec.stacked, spec.banded, spec.fromZero]);

export function plotData(times: readonly number[], spec: PlotSpec): uPlot.AlignedData {
  const columns = spec.series.map((s) => s.column);
  return [[...times], ...(spec.stacked ? stackColumns(columns) : columns)];
}

const alpha = (hex: string, share: number): string => hex + Math.round(share * 255).toString(16).padStart(2, '0');

/** Points that have a gap on both sides: a line cannot show them. */
export function lonelyPoints(column: ArrayLike<number | null | undefined>): number[] {
  const out: number[] = [];
  for (let i = 0; i < column.length; i++) {
    const gap = (at: number) => column[at] === null || column[at] === undefined;
    if (!gap(i) && gap(i - 1) && gap(i + 1)) out.push(i);
  }
  return out;
}

function seriesOptions(spec: PlotSpec): uPlot.Series[] {
  const single = spec.series.length === 1 && !spec.stacked;
  const width = spec.series.length > 20 ? 1 : 1.5;
  return spec.series.map((s, i) => ({
    label: s.name,
    stroke: s.color,
    width,
    ...(s.dash.length > 0 ? { dash: [...s.dash] } : {}),
    ...(single ? { fill: alpha(s.color, 0.1) } : spec.stacked && i === 0 ? { fill: alpha(s.color, 0.35) } : {}),
    points: {
      show: true,
      size: 4,
      fill: s.color,
      filter: (u, at) => lonelyPoints(u.data[at] ?? []),
    },
  }));
}

function bands(spec: PlotSpec): uPlot.Band[] {
  if (!spec.stacked && !spec.banded) return [];
  return spec.series.slice(1).map((s, i) => ({ series: [i + 2, i + 1], fill: alpha(s.color, spec.stacked ? 0.35 : 0.06) }));
}

function axes(spec: PlotSpec): uPlot.Axis[] {
  const { axis, grid } = TOKENS[spec.theme];
  const common = { stroke: axis, font: FONT, ticks: { show: false }, gap: 4 };
  return [
    {
      ...common,
      gap: 7,
      space: 64,
      size: (u) => {
        const { min = 0, max = 0 } = u.scales['x'] ?? {};
        return formatDate(min * 1000, spec.tz) === formatDate(max * 1000, spec.tz) ? 25 : 37;
      },
      grid: { show: false },
      border: { show: true, stroke: grid, width: 1 },
      values: (_u, splits, _axis, _space, increment) => timeTicks(splits, increment, spec.tz),
    },
    {
      ...common,
      space: 30,
      incrs: valueIncrements(spec.unit),
      grid: { stroke: grid, width: 1 },
      size: (_u, values) => Math.max(34, Math.max(0, ...(values ?? []).map((v) => v.length)) * 6.3 + 12),
      values: (_u, splits) => valueTicks(splits, spec.unit),
    },
  ];
}

export interface PlotEvents {
  readonly syncKey: string;
  readonly tzDate: (seconds: number) => Date;
  readonly onCursor: (u: uPlot) => void;
  readonly onBrush: (fromMs: number, toMs: number) => void;
  readonly onZoomOut: () => void;
}

export function plotOptions(spec: PlotSpec, width: number, events: PlotEvents): uPlot.Options {
  const many = spec.series.length > 30;
  return {
    width,
    height: spec.height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    tzDate: events.tzDate,
    // Dimming the others redraws everything; with many lines the legend's own highlight must do.
    focus: { alpha: many ? 1.1 : 0.25 },
    cursor: {
      sync: { key: events.syncKey, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: many ? { show: false } : { size: 7, width: 1 },
      bind: { dblclick: () => () => { events.onZoomOut(); return null; } },
    },
    scales: {
      x: { time: true },
      y: {
        range: (u) => {
          let min: number | null = null;
          let max: number | null = null;
          for (let i = 1; i < u.data.length; i++) {
            if (u.series[i]?.show === false) continue;
            const stats = statsOf(u.data[i] as Column);
            if (stats.min !== null && (min === null || stats.min < min)) min = stats.min;
            if (stats.max !== null && (max === null || stats.max > max)) max = stats.max;
          }
          return valueRange(min, max, spec.unit, spec.fromZero || spec.stacked);
        },
      },
    },
    axes: axes(spec),
    series: [{}, ...seriesOptions(spec)],
    bands: bands(spec),
    hooks: {
      setCursor: [events.onCursor],
      setSelect: [
        (u) => {
          const { left, width: selected } = u.select;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (selected < 4) return;
          events.onBrush(u.posToVal(left, 'x') * 1000, u.posToVal(left + selected, 'x') * 1000);
        },
      ],
    },
  };
}
