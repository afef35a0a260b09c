import { SegmentedControl } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLabelValues } from '../../api/catalog';
import { setParam } from '../../components/shell/setParam';
import { useScope } from '../../components/scope/useScope';
import { metric, type Source } from '../../lib/golden';
import { getLocation, navigate } from '../../state/location';
import { FirstRun } from './FirstRun';
import { GoldenCharts, type LatencyView } from './GoldenCharts';
import { GpuTiles } from './GpuTiles';
import { HostVitals } from './HostVitals';
import { ModelTable } from './ModelTable';
import classes from './Overview.module.css';
import { Sentence } from './Sentence';
import { useModelRows, useScrapeInterval, useSource } from './useGolden';

function setView(name: string, value: string | undefined): void {
  const { path, search } = getLocation();
  navigate(path, setParam(search, name, value), 'replace');
}

interface ToolsProps {
  readonly source: Source;
  readonly available: readonly Source[];
  readonly latency: LatencyView;
}

/** Where it was measured, and how latencies are drawn. */
function Tools({ source, available, latency }: ToolsProps) {
  const { t } = useTranslation();
  const names: Readonly<Record<Source, string>> = { gateway: t('source.gateway'), engine: t('source.engine') };
  return (
    <div className={classes.tools}>
      <span id="source-label">{t('source.title')}</span>
      <SegmentedControl size="xs" aria-labelledby="source-label" value={source} onChange={(next) => setView('source', next)}
        data={(['gateway', 'engine'] as const).map((id) => ({ value: id, label: names[id], disabled: !available.includes(id) }))} />
      <span id="latency-label">{t('overview.latency')}</span>
      <SegmentedControl size="xs" aria-labelledby="latency-label" value={latency}
        onChange={(next) => setView('latency', next === 'model' ? 'model' : undefined)}
        data={[{ value: 'quantiles', label: 'P50 · P95 · P99' }, { value: 'model', label: t('overview.p99ByModel') }]} />
    </div>
  );
}

/** Is serving healthy? A sentence, then the evidence. */
export function OverviewPage() {
  const { scope, range, params } = useScope();
  const scrapeMs = useScrapeInterval();
  const { source, available, state } = useSource(scrapeMs);
  const shown = source ?? 'gateway';
  const { rows, loading } = useModelRows(shown, scrapeMs, source !== undefined);
  const latency: LatencyView = params.get('latency') === 'model' ? 'model' : 'quantiles';
  // All models, filtered or not: each keeps its colour when the page is narrowed to it.
  const known = useLabelValues({ name: 'model', match: metric('requests_total'), window: { key: `${scope.from}|${scope.to}`, ...range } });
  const names = [...new Set([...(known.data ?? []), ...rows.map((row) => row.model)])].sort().join('\n');
  const models = useMemo(() => (names === '' ? [] : names.split('\n')), [names]);
  return (
    <>
      {state === 'nothing'
        ? <FirstRun />
        : (
          <>
            <Sentence rows={rows} loading={loading} failed={state === 'failed'} />
            <Tools source={shown} available={available} latency={latency} />
            <GoldenCharts source={shown} scrapeMs={scrapeMs} latency={latency} models={models} enabled={source !== undefined} />
            <ModelTable rows={rows} loading={loading && state !== 'failed'} models={models} />
          </>
        )}
      <GpuTiles />
      <HostVitals scrapeMs={scrapeMs} />
    </>
  );
}
