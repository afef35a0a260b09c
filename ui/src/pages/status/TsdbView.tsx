import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { useTsdbStatus } from '../../api/status';
import { Link } from '../../components/Link';
import { PanelMessage } from '../../components/panel/PanelMessage';
import { useScope } from '../../components/scope/useScope';
import { formatDateTime } from '../../lib/time';
import { formatValue } from '../../lib/units';
import classes from './Status.module.css';

interface TopTableProps {
  readonly title: string;
  readonly rows: ReadonlyArray<readonly [string, number]>;
  readonly isBytes: boolean;
  readonly isMetric: boolean;
}

function TopTable({ title, rows, isBytes, isMetric }: TopTableProps) {
  const most = Math.max(1, ...rows.map(([, n]) => n));
  return (
    <section className={classes.card}>
      <h2>{title}</h2>
      <table className={classes.top}>
        <tbody>
          {rows.map(([name, n]) => (
            <tr key={name}>
              <th scope="row">
                {isMetric ? <Link to="/explore" search={new URLSearchParams({ 'g0.expr': name, 'g0.tab': 'table' })}>{name}</Link> : name}
              </th>
              <td className={classes.share}><span aria-hidden="true" style={{ width: `${(n / most) * 100}%` }} /></td>
              <td>{formatValue(n, isBytes ? 'bytes' : 'none')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The head of the store, and what makes it big. */
export function TsdbView() {
  const { t } = useTranslation();
  const { scope } = useScope();
  const answer = useTsdbStatus();
  if (!answer.data) {
    return answer.error instanceof ApiError
      ? <PanelMessage state={{ kind: 'error', error: answer.error }} height={200} />
      : <Skeleton height={240} role="status" aria-label={t('common.loading')} />;
  }
  const { head, tables } = answer.data;
  const titles: Readonly<Record<string, string>> = {
    seriesCountByMetricName: t('status.byMetric'), labelValueCountByLabelName: t('status.byLabel'),
    seriesCountByLabelValuePair: t('status.byPair'), memoryInBytesByLabelName: t('status.byMemory'),
  };
  const when = (ms: number) => (ms > 0 && ms < 8e15 ? formatDateTime(ms, scope.tz) : '–');
  const facts: ReadonlyArray<readonly [string, string]> = [
    [t('status.series'), formatValue(head.series, 'none')],
    [t('status.chunks'), formatValue(head.chunks, 'none')],
    [t('status.labelPairs'), formatValue(head.labelPairs, 'none')],
    [t('status.oldest'), when(head.minMs)],
    [t('status.newest'), when(head.maxMs)],
  ];
  return (
    <>
      <dl className={classes.numbers}>
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <div className={classes.columns}>
        {tables.map(({ id, rows }) => (
          <TopTable key={id} title={titles[id] ?? id} rows={rows} isBytes={id === 'memoryInBytesByLabelName'} isMetric={id === 'seriesCountByMetricName'} />
        ))}
      </div>
    </>
  );
}
