import { useCallback, useEffect, useRef, useState, type KeyboardEvent } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clockParts, zoneName } from '../lib/time';
import { attachDragPan } from './dragPan';
import { plotData, plotOptions, structureKey, type PlotSpec } from './plot';
import classes from './TimeSeries.module.css';
import { TOKENS } from './tokens';
import { Tooltip, type TooltipText } from './Tooltip';

export interface TimeSeriesProps {
  readonly times: readonly number[];
  readonly spec: PlotSpec;
  readonly fromMs: number;
  readonly toMs: number;
  /** Says to those who cannot see it what is drawn. */
  readonly summary: string;
  readonly syncKey: string;
  readonly hidden?: ReadonlySet<string>;
  readonly focused?: string | undefined;
  readonly onRange: (fromMs: number, toMs: number) => void;
  readonly onEnter?: () => void;
  readonly tooltipText: TooltipText;
}

/** The cursor of one chart: an index into the times, and where it stands. */
export interface CursorAt {
  readonly index: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
}

function tzDateOf(tz: string): (seconds: number) => Date {
  if (tz === 'browser') return (seconds) => new Date(seconds * 1000);
  const zone = zoneName(tz);
  // uPlot lays ticks on round local times; a Date whose own clock shows the zone's is what it wants.
  return (seconds) => {
    const p = clockParts(seconds * 1000, zone);
    return new Date(p.year, p.month - 1, p.day, p.hour, p.minute, p.second);
  };
}

function cursorOf(u: uPlot): CursorAt | undefined {
  const { idx, left = -1, top = 0 } = u.cursor;
  if (idx === null || idx === undefined || left < 0) return undefined;
  return { index: idx, left: left + u.over.offsetLeft, top: top + u.over.offsetTop, width: u.width };
}

/** Lines over time. Owns one uPlot, rebuilt only when its structure changes; new data and ranges are set on it. */
export function TimeSeries(props: TimeSeriesProps) {
  const { times, spec, fromMs, toMs, summary, syncKey, hidden, focused, tooltipText } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  const [cursor, setCursor] = useState<CursorAt>();
  const [spoken, setSpoken] = useState(false);
  const structure = structureKey(spec);

  useEffect(() => {
    latest.current = props;
  });

  const pan = useCallback((deltaMs: number) => {
    const now = latest.current;
    now.onRange(now.fromMs + deltaMs, now.toMs + deltaMs);
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const start = latest.current;
    const options = plotOptions(start.spec, Math.max(120, element.clientWidth), {
      syncKey,
      tzDate: tzDateOf(start.spec.tz),
      onCursor: (u) => setCursor(u.over.matches(':hover') ? cursorOf(u) : undefined),
      onBrush: (from, to) => latest.current.onRange(from, to),
      onZoomOut: () => {
        const half = (latest.current.toMs - latest.current.fromMs) / 2;
        latest.current.onRange(latest.current.fromMs - half, latest.current.toMs + half);
      },
    });
    const u = new uPlot(options, plotData(start.times, start.spec), element);
    u.setScale('x', { min: start.fromMs / 1000, max: start.toMs / 1000 });
    plot.current = u;
    const detach = attachDragPan(u, TOKENS[start.spec.theme].panel, pan);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) u.setSize({ width: element.clientWidth, height: latest.current.spec.height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      detach();
      u.destroy();
      plot.current = undefined;
      setCursor(undefined);
    };
  }, [structure, syncKey, pan]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.batch(() => {
      u.setData(plotData(times, spec), false);
      u.setScale('x', { min: fromMs / 1000, max: toMs / 1000 });
    });
  }, [times, spec, fromMs, toMs]);

  useEffect(() => {
    spec.series.forEach((s, i) => {
      const show = !hidden?.has(s.key);
      if (plot.current && plot.current.series[i + 1]?.show !== show) plot.current.setSeries(i + 1, { show });
    });
  }, [hidden, structure, spec.series]);

  useEffect(() => {
    if (spec.series.length > 30) return;
    const at = spec.series.findIndex((s) => s.key === focused);
    plot.current?.setSeries(at < 0 ? null : at + 1, { focus: at >= 0 }, false);
  }, [focused, structure, spec.series]);

  const onKeyDown = (event: KeyboardEvent) => {
    const u = plot.current;
    if (!u || times.length === 0) return;
    if (event.key === 'Enter') return props.onEnter?.();
    if (event.key === 'Escape') return setCursor(undefined);
    const direction = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    const from = cursor?.index ?? times.length;
    const index = Math.max(0, Math.min(times.length - 1, from + direction * (event.shiftKey ? 10 : 1)));
    u.setCursor({ left: u.valToPos(times[index] ?? 0, 'x'), top: u.over.clientHeight / 3 });
    setCursor(cursorOf(u));
    setSpoken(true);
  };

  return (
    <div className={classes.root}>
      <div ref={box} role="img" aria-label={summary} tabIndex={0} className={classes.plot} style={{ height: spec.height }}
        onKeyDown={onKeyDown} onBlur={() => setSpoken(false)} />
      {cursor && <Tooltip at={cursor} times={times} spec={spec} hidden={hidden} text={tooltipText} spoken={spoken} />}
    </div>
  );
}
