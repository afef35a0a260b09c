import { SegmentedControl } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { setParam } from '../../components/shell/setParam';
import { useScope } from '../../components/scope/useScope';
import { PREFIX } from '../../api/client';
import { useBuildInfo, useFlags, useRuntimeInfo } from '../../api/status';
import { getLocation, navigate, useLocation } from '../../state/location';
import { ConfigView } from './ConfigView';
import { FactsTable } from './FactsTable';
import { TsdbView } from './TsdbView';
import classes from './Status.module.css';

const TABS = ['server', 'storage', 'flags', 'config'] as const;
type Tab = (typeof TABS)[number];

/** How Prometheus calls these pages. */
const ALIASES: Readonly<Record<string, Tab>> = { '/tsdb-status': 'storage', '/flags': 'flags', '/config': 'config' };

function ServerView() {
  const { t } = useTranslation();
  const runtime = useRuntimeInfo();
  const build = useBuildInfo();
  return (
    <div className={classes.columns}>
      <FactsTable title={t('status.runtime')} answer={runtime} />
      <FactsTable title={t('status.build')} answer={build} />
      <p className={classes.dim}><a href={`${PREFIX}/third-party-licenses.txt`}>{t('status.licences')}</a></p>
    </div>
  );
}

function FlagsView() {
  const { t } = useTranslation();
  const flags = useFlags();
  return <FactsTable title={t('status.flags')} answer={flags} searchable />;
}

/** Is the server itself well, and what is it running with? */
export function StatusPage() {
  const { t } = useTranslation();
  const { params } = useScope();
  const { path } = useLocation();
  const asked = params.get('tab');
  const tab: Tab = TABS.find((id) => id === asked) ?? ALIASES[path] ?? 'server';
  const titles: Readonly<Record<Tab, string>> = {
    server: t('status.server'), storage: t('status.storage'), flags: t('status.flags'), config: t('status.config'),
  };
  const choose = (next: string) => navigate('/status', setParam(getLocation().search, 'tab', next === 'server' ? undefined : next));
  return (
    <>
      <h1>{t('nav.status')}</h1>
      <SegmentedControl size="sm" mb={12} value={tab} onChange={choose} aria-label={t('status.section')} data={TABS.map((id) => ({ value: id, label: titles[id] }))} />
      {tab === 'server' && <ServerView />}
      {tab === 'storage' && <TsdbView />}
      {tab === 'flags' && <FlagsView />}
      {tab === 'config' && <ConfigView />}
    </>
  );
}
