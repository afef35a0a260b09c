import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../../components/Icon';
import { Meter } from '../../components/Meter';
import { ToneIcon } from '../../components/ToneIcon';
import { useScope } from '../../components/scope/useScope';
import { formatDuration } from '../../lib/duration';
import type { Tone } from '../../lib/overview';
import { timeoutShare, type Pool, type Target, type TargetHealth } from '../../lib/targets';
import { formatDateTime } from '../../lib/time';
import { formatValue } from '../../lib/units';
import { clock } from '../../state/app';
import classes from './Targets.module.css';

const TONE: Readonly<Record<TargetHealth, Tone>> = { up: 'ok', down: 'bad', unknown: 'idle' };
const FEW = 20;

function Row({ target }: { readonly target: Target }) {
  const { t } = useTranslation();
  const { scope } = useScope();
  const now = clock.use();
  const words: Readonly<Record<TargetHealth, string>> = { up: t('targets.up'), down: t('targets.down'), unknown: t('targets.unknown') };
  const share = timeoutShare(target);
  const ago = target.lastScrapeMs > 0 ? formatDuration(Math.max(0, Math.round((now - target.lastScrapeMs) / 1000) * 1000)) : undefined;
  const pairs = Object.entries(target.labels).filter(([name]) => name !== 'job');
  return (
    <tr>
      <td data-title={t('targets.state')}>
        <span className={classes.state}><ToneIcon tone={TONE[target.health]} />{words[target.health]}</span>
      </td>
      <td data-title={t('targets.endpoint')}>
        <span className={classes.url}>{target.url}</span>
        <span className={classes.labels}>{pairs.map(([name, value]) => <span key={name}>{name}=<strong>{value}</strong></span>)}</span>
        {target.error !== '' && <pre className={classes.error}>{target.error}</pre>}
      </td>
      <td data-title={t('targets.lastScrape')} title={target.lastScrapeMs > 0 ? formatDateTime(target.lastScrapeMs, scope.tz) : undefined}>
        {ago === undefined ? t('targets.never') : t('targets.ago', { time: ago })}
      </td>
      <td data-title={t('targets.duration')}>
        <Meter label="" share={share ?? null} tone={share === undefined ? undefined : share >= 0.9 ? 'bad' : share >= 0.5 ? 'warn' : 'ok'}
          text={`${formatValue(target.durationMs / 1000, 'seconds')} / ${target.timeout || '–'}`} />
      </td>
    </tr>
  );
}

export interface PoolCardProps {
  /** What the filters leave of it. */
  readonly pool: Pool;
  /** All of it, for the counts. */
  readonly whole: Pool;
}

/** One job: how many of its targets are up, and each of them, failing first. */
export function PoolCard({ pool, whole }: PoolCardProps) {
  const { t } = useTranslation();
  const healthy = whole.up === whole.total;
  const [open, setOpen] = useState(!healthy || whole.total <= FEW);
  const [all, setAll] = useState(false);
  const id = `pool-${whole.name.replace(/\W+/g, '-')}`;
  const targets = all ? pool.targets : pool.targets.slice(0, 100);
  return (
    <section className={classes.pool} aria-labelledby={id}>
      <h2 className={classes.poolHead}>
        <button type="button" id={id} aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name={open ? 'down' : 'right'} size={14} />
          <ToneIcon tone={healthy ? 'ok' : whole.up === 0 ? 'bad' : 'warn'} />
          <span className={classes.poolName}>{whole.name}</span>
          <span className={classes.count}>{t('targets.upOf', { up: whole.up, total: whole.total })}</span>
          <span className={classes.bar} aria-hidden="true"><span style={{ width: `${(whole.up / Math.max(1, whole.total)) * 100}%` }} /></span>
        </button>
      </h2>
      {open && (
        <div className={classes.scroll}>
          <table className={classes.table}>
            <thead>
              <tr>
                <th scope="col">{t('targets.state')}</th>
                <th scope="col">{t('targets.endpoint')}</th>
                <th scope="col">{t('targets.lastScrape')}</th>
                <th scope="col">{t('targets.duration')}</th>
              </tr>
            </thead>
            <tbody>{targets.map((target) => <Row key={`${target.url}${JSON.stringify(target.labels)}`} target={target} />)}</tbody>
          </table>
          {targets.length < pool.targets.length && (
            <Button size="compact-xs" variant="default" m={8} onClick={() => setAll(true)}>{t('targets.showAll', { count: pool.targets.length })}</Button>
          )}
        </div>
      )}
    </section>
  );
}
