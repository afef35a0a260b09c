import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useRanges } from '../../api/query';
import { CodeBlock } from '../../components/CodeBlock';
import { Link } from '../../components/Link';
import { ToneIcon } from '../../components/ToneIcon';
import { changeScope, setAbsoluteRange, useScope } from '../../components/scope/useScope';
import { lastSeenExpr, presenceExpr } from '../../lib/golden';
import { formatFilter } from '../../lib/promql';
import { formatDateTime } from '../../lib/time';
import { clock } from '../../state/app';
import classes from './Overview.module.css';

const CURL = `curl -N http://127.0.0.1:9798/v1/chat/completions \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "deepseek-v3", "stream": true,
       "messages": [{"role": "user", "content": "Say hello."}]}'`;

const SCRAPE = `scrape_configs:
  - job_name: vllm
    static_configs:
      - targets: ['127.0.0.1:8000']`;

const DAY = 86_400_000;

/** The filters let nothing through: which to take off. */
function Filtered() {
  const { t } = useTranslation();
  const { scope } = useScope();
  return (
    <>
      <p>{t('first.filtered')}</p>
      <div className={classes.buttons}>
        {scope.filters.map((filter) => (
          <Button key={formatFilter(filter)} size="compact-sm" variant="default"
            onClick={() => changeScope({ filters: scope.filters.filter((f) => f !== filter) })}>
            {t('filter.remove', { filter: formatFilter(filter) })}
          </Button>
        ))}
      </div>
    </>
  );
}

/** Nothing has ever come in: how to change that. */
function Never() {
  const { t } = useTranslation();
  return (
    <div className={classes.steps}>
      <div>
        <h2>{t('first.sendTitle')}</h2>
        <p>{t('first.sendText')}</p>
        <CodeBlock text={CURL} copyLabel={t('first.copyCommand')} />
      </div>
      <div>
        <h2>{t('first.scrapeTitle')}</h2>
        <p>{t('first.scrapeText')}</p>
        <CodeBlock text={SCRAPE} copyLabel={t('first.copyConfig')} />
        <p><Link to="/targets">{t('panel.seeTargets')}</Link></p>
      </div>
      <div>
        <h2>{t('first.demoTitle')}</h2>
        <p>{t('first.demoText')}</p>
        <CodeBlock text="sonde demo" copyLabel={t('first.copyCommand')} />
      </div>
    </div>
  );
}

/** The Overview where nothing is to be seen: says which of the reasons it is. */
export function FirstRun() {
  const { t } = useTranslation();
  const { scope, windowFor } = useScope();
  const now = clock.use();
  const filtered = scope.filters.length > 0;
  const week = { key: 'week', moving: true, startMs: Math.floor((now - 7 * DAY) / 3.6e6) * 3.6e6, endMs: now, stepMs: 3.6e6 };
  const [unfiltered] = useRanges([presenceExpr([])], windowFor(60), filtered);
  const [lastSeen] = useRanges([lastSeenExpr(scope.filters)], week);
  const times = lastSeen?.data?.series[0]?.times;
  const lastMs = times && times.length > 0 ? (times[times.length - 1] ?? 0) * 1000 : undefined;
  const byFilter = filtered && (unfiltered?.data?.series.length ?? 0) > 0;
  return (
    <section className={classes.first}>
      <h1 className={classes.sentence}>
        <ToneIcon tone="idle" size={24} />
        {byFilter ? t('first.titleFiltered') : lastMs !== undefined ? t('first.titleRange') : t('first.title')}
      </h1>
      {byFilter && <Filtered />}
      {!byFilter && lastMs !== undefined && (
        <p>
          {t('first.lastSeen', { time: formatDateTime(lastMs, scope.tz) })}{' '}
          <Button size="compact-sm" variant="default" onClick={() => setAbsoluteRange(lastMs - 3_600_000, lastMs + 60_000)}>{t('first.jump')}</Button>
        </p>
      )}
      {!byFilter && lastMs === undefined && <Never />}
    </section>
  );
}
