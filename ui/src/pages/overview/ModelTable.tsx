import { Skeleton, useComputedColorScheme } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Sparkline } from '../../charts/Sparkline';
import { seriesStyle } from '../../charts/tokens';
import { ToneIcon } from '../../components/ToneIcon';
import { changeScope, useScope } from '../../components/scope/useScope';
import { toneOf, type ModelRow, type Signal, type Tone } from '../../lib/overview';
import { withFilter } from '../../lib/promql';
import { formatValue, type Unit } from '../../lib/units';
import classes from './Overview.module.css';

interface ColumnSpec {
  readonly signal: Signal;
  readonly title: string;
  readonly unit: Unit;
}

export interface ModelTableProps {
  readonly rows: readonly ModelRow[];
  readonly loading: boolean;
  readonly models: readonly string[];
}

function useColumns(): readonly ColumnSpec[] {
  const { t } = useTranslation();
  return [
    { signal: 'requests', title: t('column.requests'), unit: 'perSecond' },
    { signal: 'ttft50', title: t('column.ttft50'), unit: 'seconds' },
    { signal: 'ttft99', title: t('column.ttft99'), unit: 'seconds' },
    { signal: 'e2e99', title: t('column.e2e99'), unit: 'seconds' },
    { signal: 'tpot99', title: t('column.tpot99'), unit: 'seconds' },
    { signal: 'errors', title: t('column.errors'), unit: 'ratio' },
    { signal: 'tokens', title: t('column.tokens'), unit: 'perSecond' },
    { signal: 'running', title: t('column.running'), unit: 'short' },
    { signal: 'waiting', title: t('column.waiting'), unit: 'short' },
    { signal: 'kv', title: t('column.kv'), unit: 'ratio' },
  ];
}

/** Worst first, until a column is chosen. A click on a row narrows the page to its model. */
export function ModelTable({ rows, loading, models }: ModelTableProps) {
  const { t } = useTranslation();
  const { scope } = useScope();
  const theme = useComputedColorScheme('light');
  const columns = useColumns();
  const [by, setBy] = useState<Signal>();
  const ordered = by ? [...rows].sort((a, b) => (b.cells[by].value ?? -1) - (a.cells[by].value ?? -1)) : rows;
  const words: Readonly<Record<Tone, string>> = { ok: t('tone.ok'), warn: t('tone.warn'), bad: t('tone.bad'), idle: t('tone.idle') };
  const narrow = (model: string) => changeScope({ filters: withFilter(scope.filters, 'model', model) });
  return (
    <section className={classes.card} aria-labelledby="models-title">
      <header className={classes.cardHead}>
        <h2 id="models-title">{t('overview.models')}</h2>
        <span className={classes.dim}>{by ? '' : t('overview.worstFirst')}</span>
      </header>
      {loading && rows.length === 0 && <Skeleton height={120} role="status" aria-label={t('common.loading')} />}
      {rows.length > 0 && (
        <div className={classes.scroll} tabIndex={0} role="group" aria-labelledby="models-title">
          <table className={classes.models}>
            <thead>
              <tr>
                <th scope="col"><button type="button" onClick={() => setBy(undefined)}>{t('column.model')}</button></th>
                {columns.map(({ signal, title }) => (
                  <th key={signal} scope="col" aria-sort={by === signal ? 'descending' : 'none'}>
                    <button type="button" data-active={by === signal || undefined} onClick={() => setBy(by === signal ? undefined : signal)}>{title}</button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {ordered.map((row) => {
                const { color } = seriesStyle(theme, Math.max(0, models.indexOf(row.model)));
                return (
                  <tr key={row.model} onClick={() => narrow(row.model)}>
                    <th scope="row">
                      <button type="button" className={classes.modelName} title={t('overview.narrow', { name: row.model })}
                        onClick={(event) => { event.stopPropagation(); narrow(row.model); }}>
                        <ToneIcon tone={row.tone} label={words[row.tone]} />
                        {row.model}
                      </button>
                    </th>
                    {columns.map(({ signal, unit }) => (
                      <td key={signal} data-tone={toneOf(signal, row.cells[signal].value)}>
                        <span className={classes.cell}>
                          <Sparkline column={row.cells[signal].history} color={color} width={40} />
                          <span className={classes.number}>{formatValue(row.cells[signal].value, unit)}</span>
                        </span>
                      </td>
                    ))}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
