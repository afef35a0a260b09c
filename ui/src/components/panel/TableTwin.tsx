import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { PanelLine } from '../../lib/panel';
import { toCsv } from '../../lib/matrix';
import { formatDateTime, type TimeZone } from '../../lib/time';
import { formatValue, type Unit } from '../../lib/units';
import { Icon } from '../Icon';
import classes from './Panel.module.css';

export interface TableTwinProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly lines: readonly PanelLine[];
  readonly unit: Unit;
  readonly tz: TimeZone;
  readonly height: number;
}

const SHOWN = 200;

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name.replace(/[^\w\u4e00-\u9fff-]+/g, '_')}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}

/** The same numbers as the chart, as a table: newest first. */
export function TableTwin({ title, times, lines, unit, tz, height }: TableTwinProps) {
  const { t } = useTranslation();
  const rows = times.map((time, i) => ({ time, i })).reverse().slice(0, SHOWN);
  const csv = () => toCsv(times, lines.map((l) => l.name), lines.map((l) => l.column));
  return (
    <div>
      <div className={classes.twin} style={{ height }} tabIndex={0} role="group" aria-label={t('panel.tableOf', { title })}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('panel.time')}</th>
              {lines.map((line) => <th key={line.key} scope="col">{line.name}</th>)}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ time, i }) => (
              <tr key={time}>
                <th scope="row">{formatDateTime(time * 1000, tz)}</th>
                {lines.map((line) => <td key={line.key}>{formatValue(line.column[i], unit)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className={classes.twinFoot}>
        <span>{times.length > SHOWN ? t('panel.rowsOf', { shown: SHOWN, total: times.length }) : t('panel.rows', { count: times.length })}</span>
        <Button size="compact-xs" variant="default" leftSection={<Icon name="download" size={14} />} onClick={() => download(title, csv())}>
          CSV
        </Button>
      </div>
    </div>
  );
}
