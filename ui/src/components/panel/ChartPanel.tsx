import { useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Labels } from '../../lib/labels';
import { formatClock } from '../../lib/time';
import type { PanelLine } from '../../lib/panel';
import { formatValue, type Unit } from '../../lib/units';
import { setAbsoluteRange, useScope } from '../scope/useScope';
import { PanelActions } from './PanelActions';
import { PanelMessage } from './PanelMessage';
import { PlotArea } from './PlotArea';
import classes from './Panel.module.css';
import { useSeen } from './useSeen';
import { usePanel, type PanelQuery } from './usePanel';

export interface ChartPanelProps {
  readonly title: string;
  readonly help?: string;
  readonly queries: readonly PanelQuery[];
  readonly unit: Unit;
  readonly stacked?: boolean;
  readonly banded?: boolean;
  readonly height?: number;
  /** The number beside the title: the last values' sum, their greatest, or that of the last line. */
  readonly headline?: 'sum' | 'max' | 'final';
  readonly minStepMs?: number;
  readonly enabled?: boolean;
  readonly emptyHint?: ReactNode;
  readonly colorOf?: ((labels: Labels) => number | undefined) | undefined;
  readonly onPick?: ((labels: Labels) => void) | undefined;
  readonly pickLabel?: ((name: string) => string) | undefined;
}

function headlineText(kind: ChartPanelProps['headline'], lines: readonly PanelLine[], unit: Unit): string | undefined {
  const values = lines.map((line) => line.stats.last).filter((v): v is number => v !== null);
  const final = lines[lines.length - 1];
  if (values.length === 0 || kind === undefined || !final) return undefined;
  if (kind === 'sum') return formatValue(values.reduce((a, b) => a + b, 0), unit);
  if (kind === 'max') return `≤ ${formatValue(Math.max(...values), unit)}`;
  return `${final.name} ${formatValue(final.stats.last, unit)}`;
}

/** A chart in a frame: its title, its queries' states, its legend, and the way to its numbers and to Explore. */
export function ChartPanel(props: ChartPanelProps) {
  const { title, help, queries, unit, stacked = false, banded = false, height = 176, emptyHint } = props;
  const { t } = useTranslation();
  const { scope, range, windowFor } = useScope();
  const box = useRef<HTMLElement>(null);
  const seen = useSeen(box);
  const [asTable, setAsTable] = useState(false);
  const view = usePanel(queries, {
    window: windowFor(240, props.minStepMs ?? 1000), enabled: seen && (props.enabled ?? true), colorOf: props.colorOf,
  });
  const headline = view.state.kind === 'ready' ? headlineText(props.headline, view.lines, unit) : undefined;

  return (
    <section ref={box} className={classes.panel} aria-label={title} data-stale={view.staleSinceMs !== undefined || undefined}>
      <header className={classes.head}>
        <div className={classes.titles}>
          <h3 className={classes.title}>{title}</h3>
          {headline !== undefined && <span className={classes.headline}>{headline}</span>}
          {view.staleSinceMs !== undefined && <span className={classes.stale}>{t('panel.staleSince', { time: formatClock(view.staleSinceMs, scope.tz) })}</span>}
          {view.partial && <span className={classes.stale} title={view.partial.message}>{t('panel.partial')}</span>}
        </div>
        <PanelActions title={title} help={help} exprs={queries.map((q) => q.expr)} asTable={asTable} onTable={() => setAsTable(!asTable)} />
      </header>
      {view.state.kind === 'ready'
        ? (
          <PlotArea title={title} view={view} unit={unit} tz={scope.tz} stacked={stacked} banded={banded} fromZero height={height}
            asTable={asTable} fromMs={range.fromMs} toMs={range.toMs} onRange={setAbsoluteRange}
            onTable={() => setAsTable(true)} onPick={props.onPick} pickLabel={props.pickLabel} />
        )
        : <PanelMessage state={view.state} height={height + 70} emptyHint={emptyHint} />}
    </section>
  );
}
