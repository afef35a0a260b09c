import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ChartSeries } from '../../charts/plot';
import type { PanelLine } from '../../lib/panel';
import { formatValue, type Unit } from '../../lib/units';
import classes from './Legend.module.css';

export interface LegendProps {
  readonly lines: readonly PanelLine[];
  readonly series: readonly ChartSeries[];
  readonly unit: Unit;
  readonly hidden: ReadonlySet<string>;
  readonly focused: string | undefined;
  readonly onFocus: (key: string | undefined) => void;
  /** A click: narrow the scope, or show this one alone. */
  readonly onPick: (line: PanelLine, additive: boolean) => void;
  readonly pickLabel: (name: string) => string;
}

type SortBy = 'name' | 'last' | 'min' | 'max';

function sorted(lines: readonly PanelLine[], by: SortBy | undefined): readonly PanelLine[] {
  if (!by) return lines;
  if (by === 'name') return [...lines].sort((a, b) => a.name.localeCompare(b.name));
  return [...lines].sort((a, b) => (b.stats[by] ?? -Infinity) - (a.stats[by] ?? -Infinity));
}

/** The lines with what tells them apart and their last, least and greatest values. */
export function Legend({ lines, series, unit, hidden, focused, onFocus, onPick, pickLabel }: LegendProps) {
  const { t } = useTranslation();
  const [by, setBy] = useState<SortBy>();
  const style = new Map(series.map((s) => [s.key, s]));
  const columns: readonly (readonly [SortBy, string])[] = [
    ['last', t('legend.last')], ['min', t('legend.min')], ['max', t('legend.max')],
  ];
  return (
    <div className={classes.root} tabIndex={lines.length > 6 ? 0 : -1} role="group" aria-label={t('legend.title')}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col" className={classes.name}>
              <button type="button" className={classes.sort} data-active={by === 'name' || undefined} onClick={() => setBy(by === 'name' ? undefined : 'name')}>
                {t('legend.name')}
              </button>
            </th>
            {columns.map(([id, title]) => (
              <th key={id} scope="col" aria-sort={by === id ? 'descending' : 'none'}>
                <button type="button" className={classes.sort} data-active={by === id || undefined} onClick={() => setBy(by === id ? undefined : id)}>
                  {title}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => onFocus(undefined)}>
          {sorted(lines, by).map((line) => {
            const s = style.get(line.key);
            return (
              <tr key={line.key} data-off={hidden.has(line.key) || undefined} data-focused={focused === line.key || undefined}
                onMouseEnter={() => onFocus(line.key)}>
                <td className={classes.name}>
                  <button type="button" className={classes.entry} title={pickLabel(line.name)}
                    onClick={(event) => onPick(line, event.ctrlKey || event.metaKey)}
                    onFocus={() => onFocus(line.key)} onBlur={() => onFocus(undefined)}>
                    <svg width="14" height="10" aria-hidden="true" className={classes.swatch}>
                      <line x1="0" y1="5" x2="14" y2="5" stroke={s?.color} strokeWidth="3" strokeDasharray={s?.dash.join(' ')} />
                    </svg>
                    <span className={classes.text}>{line.name}</span>
                  </button>
                </td>
                <td>{formatValue(line.stats.last, unit)}</td>
                <td>{formatValue(line.stats.min, unit)}</td>
                <td>{formatValue(line.stats.max, unit)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
