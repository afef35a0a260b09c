import { formatDateTime } from '../lib/time';
import { formatValue } from '../lib/units';
import type { PlotSpec } from './plot';
import type { CursorAt } from './TimeSeries';
import classes from './TimeSeries.module.css';

export interface TooltipText {
  /** "and 7 more". */
  readonly more: (count: number) => string;
}

interface TooltipProps {
  readonly at: CursorAt;
  readonly times: readonly number[];
  readonly spec: PlotSpec;
  readonly hidden: ReadonlySet<string> | undefined;
  readonly text: TooltipText;
  readonly spoken: boolean;
}

const SHOWN = 12;

/** The values under the cursor, greatest first. */
export function Tooltip({ at, times, spec, hidden, text, spoken }: TooltipProps) {
  const rows = spec.series
    .filter((s) => !hidden?.has(s.key))
    .map((s) => ({ s, value: s.column[at.index] ?? null }))
    .filter((row): row is { s: PlotSpec['series'][number]; value: number } => row.value !== null)
    .sort((a, b) => (spec.banded ? 0 : b.value - a.value));
  const onRight = at.left > at.width / 2;
  const style = onRight
    ? { right: at.width - at.left + 12, top: 4 }
    : { left: at.left + 12, top: 4 };
  return (
    <div className={classes.tooltip} style={style} {...(spoken ? { role: 'status' } : { 'aria-hidden': true })}>
      <div className={classes.tooltipTime}>{formatDateTime((times[at.index] ?? 0) * 1000, spec.tz)}</div>
      {rows.slice(0, SHOWN).map(({ s, value }) => (
        <div key={s.key} className={classes.tooltipRow}>
          <span className={classes.swatch} style={{ background: s.color }} />
          <span className={classes.tooltipName}>{s.name}</span>
          <span className={classes.tooltipValue}>{formatValue(value, spec.unit)}</span>
        </div>
      ))}
      {rows.length > SHOWN && <div className={classes.tooltipTime}>{text.more(rows.length - SHOWN)}</div>}
      {rows.length === 0 && <div className={classes.tooltipTime}>–</div>}
    </div>
  );
}
