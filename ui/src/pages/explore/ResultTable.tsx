import { Button } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import type { InstantAnswer, InstantSeries, Point } from '../../api/query';
import { PanelMessage } from '../../components/panel/PanelMessage';
import type { PanelState } from '../../components/panel/usePanel';
import { formatSeries } from '../../lib/labels';
import { sortRows, tableColumns } from '../../lib/resultTable';
import { formatDateTime, type TimeZone } from '../../lib/time';
import classes from './Explore.module.css';

export interface ResultTableProps {
  readonly answer: UseQueryResult<InstantAnswer>;
  readonly tz: TimeZone;
}

const PAGE = 500;
const POINTS_SHOWN = 20;

function valueText(value: Point['value']): string {
  return typeof value === 'number' ? String(value).replace('Infinity', 'Inf') : `count ${value.count} · sum ${value.sum}`;
}

function Points({ points, tz, isMatrix }: { readonly points: readonly Point[]; readonly tz: TimeZone; readonly isMatrix: boolean }) {
  const { t } = useTranslation();
  const last = points[points.length - 1];
  if (!isMatrix) return <>{last ? valueText(last.value) : '–'}</>;
  return (
    <>
      {points.slice(-POINTS_SHOWN).map((point) => (
        <div key={point.timeS}>{valueText(point.value)} <span className={classes.at}>@ {formatDateTime(point.timeS * 1000, tz)}</span></div>
      ))}
      {points.length > POINTS_SHOWN && <div className={classes.at}>{t('explore.morePoints', { count: points.length - POINTS_SHOWN })}</div>}
    </>
  );
}

function SeriesTable({ series, tz, isMatrix }: { readonly series: readonly InstantSeries[]; readonly tz: TimeZone; readonly isMatrix: boolean }) {
  const { t } = useTranslation();
  const [sort, setSort] = useState<{ by: string; down: boolean }>();
  const [shown, setShown] = useState(PAGE);
  const columns = useMemo(() => tableColumns(series.map((s) => s.labels)), [series]);
  const rows = useMemo(() => sortRows(series, sort), [series, sort]);
  const toggle = (by: string) => setSort(sort?.by !== by ? { by, down: by === '' } : { by, down: !sort.down });
  const head = (id: string, title: string, className?: string) => (
    <th key={id} scope="col" className={className} aria-sort={sort?.by === id ? (sort.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" onClick={() => toggle(id)}>{title}{sort?.by === id ? (sort.down ? ' ↓' : ' ↑') : ''}</button>
    </th>
  );
  return (
    <>
      <div className={classes.tableBox} tabIndex={0} role="group" aria-label={t('explore.result')}>
        <table className={classes.table}>
          <thead>
            <tr>
              {columns ? columns.map((name) => head(name, name === '__name__' ? t('column.metric') : name)) : <th scope="col">{t('column.series')}</th>}
              {head('', t('column.value'), classes.value)}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row) => {
              const text = formatSeries(row.labels);
              return (
                <tr key={text}>
                  {columns ? columns.map((name) => <td key={name}>{row.labels[name] ?? ''}</td>) : <td><code>{text}</code></td>}
                  <td className={classes.value}><Points points={row.points} tz={tz} isMatrix={isMatrix} /></td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {rows.length > shown && (
        <Button size="compact-xs" variant="default" mt={6} onClick={() => setShown(shown + 2000)}>{t('explore.firstOf', { shown, total: rows.length })}</Button>
      )}
    </>
  );
}

/** An instant result, whatever its type. */
export function ResultTable({ answer, tz }: ResultTableProps) {
  const { t } = useTranslation();
  const result = answer.data?.result;
  const state: PanelState | undefined = answer.error instanceof ApiError && !(answer.error.isOutage && result)
    ? { kind: 'error', error: answer.error }
    : !result ? { kind: 'loading' } : 'series' in result && result.series.length === 0 ? { kind: 'empty' } : undefined;
  if (state) return <PanelMessage state={state} height={160} emptyHint={t('explore.emptyHint')} />;
  if (!result) return null;
  if ('series' in result) return <SeriesTable series={result.series} tz={tz} isMatrix={result.type === 'matrix'} />;
  return (
    <p className={classes.scalar}>
      <strong>{typeof result.value === 'number' ? valueText(result.value) : result.value}</strong>{' '}
      <span className={classes.at}>{result.type} @ {formatDateTime(result.timeS * 1000, tz)}</span>
    </p>
  );
}
