import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlotSpec } from '../../charts/plot';
import { TimeSeries } from '../../charts/TimeSeries';
import type { Labels } from '../../lib/labels';
import type { PanelLine } from '../../lib/panel';
import type { TimeZone } from '../../lib/time';
import { formatValue, type Unit } from '../../lib/units';
import { Legend } from './Legend';
import classes from './Panel.module.css';
import { TableTwin } from './TableTwin';
import type { PanelView } from './usePanel';

export interface PlotAreaProps {
  readonly title: string;
  readonly view: PanelView;
  readonly unit: Unit;
  readonly tz: TimeZone;
  readonly stacked: boolean;
  readonly banded: boolean;
  readonly fromZero: boolean;
  readonly height: number;
  readonly asTable: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly onRange: (fromMs: number, toMs: number) => void;
  readonly onTable: () => void;
  readonly onPick?: ((labels: Labels) => void) | undefined;
  readonly pickLabel?: ((name: string) => string) | undefined;
}

const NONE: ReadonlySet<string> = new Set();

/** The lines that a click on one leaves hidden: all others, or with a modifier only that one changes. */
function afterPick(hidden: ReadonlySet<string>, lines: readonly PanelLine[], key: string, additive: boolean): ReadonlySet<string> {
  if (additive) {
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    return next;
  }
  const others = lines.filter((line) => line.key !== key).map((line) => line.key);
  const alone = !hidden.has(key) && others.every((other) => hidden.has(other));
  return alone ? NONE : new Set(others);
}

/** A drawn chart with its legend, or the same as a table. */
export function PlotArea(props: PlotAreaProps) {
  const { title, view, unit, tz, stacked, banded, fromZero, height, asTable, fromMs, toMs, onRange, onTable, onPick, pickLabel } = props;
  const { t } = useTranslation();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(NONE);
  const [focused, setFocused] = useState<string>();
  const { series, theme, lines, times } = view;
  const spec = useMemo((): PlotSpec => ({ series, unit, tz, theme, stacked, banded, fromZero, height }),
    [series, unit, tz, theme, stacked, banded, fromZero, height]);
  const tooltipText = useMemo(() => ({ more: (count: number) => t('panel.more', { count }) }), [t]);
  const top = lines.reduce<PanelLine | undefined>((best, l) => ((l.stats.last ?? -Infinity) > (best?.stats.last ?? -Infinity) ? l : best), undefined);
  const summary = t('panel.summary', {
    title, count: lines.length, name: top?.name ?? '–', value: formatValue(top?.stats.last, unit),
  });
  const pick = useCallback((line: PanelLine, additive: boolean) => {
    if (onPick && !additive) onPick(line.labels);
    else setHidden((now) => afterPick(now, lines, line.key, additive));
  }, [onPick, lines]);

  if (asTable) return <TableTwin title={title} times={times} lines={lines} unit={unit} tz={tz} height={height + 40} />;
  return (
    <>
      <TimeSeries times={times} spec={spec} fromMs={fromMs} toMs={toMs} summary={summary} syncKey="page" hidden={hidden}
        focused={focused} onRange={onRange} onEnter={onTable} tooltipText={tooltipText} />
      <Legend lines={lines} series={series} unit={unit} hidden={hidden} focused={focused} onFocus={setFocused} onPick={pick}
        pickLabel={pickLabel ?? ((name) => t('legend.only', { name }))} />
      {view.left > 0 && <p className={classes.note}>{t('panel.showingTop', { shown: lines.length, total: lines.length + view.left })}</p>}
    </>
  );
}
