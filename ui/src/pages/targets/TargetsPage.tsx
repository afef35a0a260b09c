import { Checkbox, Skeleton, TextInput } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useTargets } from '../../api/targets';
import { ApiError } from '../../api/client';
import { Icon } from '../../components/Icon';
import { PanelMessage } from '../../components/panel/PanelMessage';
import { ToneIcon } from '../../components/ToneIcon';
import { useScope } from '../../components/scope/useScope';
import { setParam } from '../../components/shell/setParam';
import { filterTargets, groupTargets, type Pool } from '../../lib/targets';
import { getLocation, navigate } from '../../state/location';
import { PoolCard } from './PoolCard';
import classes from './Targets.module.css';

function setView(name: string, value: string): void {
  const { path, search } = getLocation();
  navigate(path, setParam(search, name, value === '' ? undefined : value), 'replace');
}

function Opening({ pools, dropped }: { readonly pools: readonly Pool[]; readonly dropped: number }) {
  const { t } = useTranslation();
  const total = pools.reduce((sum, pool) => sum + pool.total, 0);
  const up = pools.reduce((sum, pool) => sum + pool.up, 0);
  const failing = pools.filter((pool) => pool.up < pool.total).map((pool) => pool.name);
  const sentence = total === 0 ? t('targets.none')
    : failing.length === 0 ? t('targets.allUp', { count: total })
      : t('targets.someDown', { up, total, jobs: failing.slice(0, 3).join(', ') + (failing.length > 3 ? ' …' : '') });
  return (
    <>
      <h1 className={classes.sentence}>
        <ToneIcon tone={total === 0 ? 'idle' : failing.length === 0 ? 'ok' : up === 0 ? 'bad' : 'warn'} size={24} />
        <span>{sentence}</span>
      </h1>
      {dropped > 0 && <p className={classes.dim}>{t('targets.dropped', { count: dropped })}</p>}
    </>
  );
}

/** Are we scraping? Per job, what fails first, and why in the words of whoever refused. */
export function TargetsPage() {
  const { t } = useTranslation();
  const { params } = useScope();
  const targets = useTargets();
  const query = params.get('q') ?? '';
  const onlyFailing = params.get('health') === 'down';
  const all = useMemo(() => groupTargets([...(targets.data?.active ?? [])]), [targets.data]);
  const shown = useMemo(() => groupTargets(filterTargets(targets.data?.active ?? [], query, onlyFailing)), [targets.data, query, onlyFailing]);
  if (!targets.data) {
    if (targets.error) {
      const error = targets.error instanceof ApiError ? targets.error : new ApiError('other', targets.error.message);
      return <PanelMessage state={{ kind: 'error', error }} height={200} />;
    }
    return <Skeleton height={240} role="status" aria-label={t('common.loading')} />;
  }
  return (
    <>
      <Opening pools={all} dropped={targets.data.dropped} />
      <div className={classes.tools}>
        <TextInput size="xs" w={280} leftSection={<Icon name="search" size={14} />} aria-label={t('targets.search')} placeholder={t('targets.search')}
          value={query} onChange={(event) => setView('q', event.currentTarget.value)} />
        <Checkbox size="xs" label={t('targets.onlyFailing')} checked={onlyFailing} onChange={(event) => setView('health', event.currentTarget.checked ? 'down' : '')} />
      </div>
      {shown.map((pool) => <PoolCard key={pool.name} pool={pool} whole={all.find(({ name }) => name === pool.name) ?? pool} />)}
      {shown.length === 0 && all.length > 0 && <p className={classes.dim}>{t('targets.noMatch')}</p>}
    </>
  );
}
