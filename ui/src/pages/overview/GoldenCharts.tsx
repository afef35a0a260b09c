import { useComputedColorScheme } from '@mantine/core';
import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { TOKENS } from '../../charts/tokens';
import { ChartPanel, type ChartPanelProps } from '../../components/panel/ChartPanel';
import type { PanelQuery } from '../../components/panel/usePanel';
import { changeScope, useScope } from '../../components/scope/useScope';
import { metric, type Source } from '../../lib/golden';
import type { Labels } from '../../lib/labels';
import { withFilter } from '../../lib/promql';
import { rateWindow } from '../../lib/step';
import classes from './Overview.module.css';
import { useSignals } from './useGolden';

export type LatencyView = 'quantiles' | 'model';

export interface GoldenChartsProps {
  readonly source: Source;
  readonly scrapeMs: number;
  readonly latency: LatencyView;
  /** In the order that gives each its colour. */
  readonly models: readonly string[];
  readonly enabled: boolean;
}

const QUANTILES = [[0.5, 'P50'], [0.95, 'P95'], [0.99, 'P99']] as const;

type Panel = Omit<ChartPanelProps, 'enabled' | 'minStepMs'> & { readonly id: string };

/** The golden signals over time: traffic, latency, errors, saturation. */
export function GoldenCharts({ source, scrapeMs, latency, models, enabled }: GoldenChartsProps) {
  const { t } = useTranslation();
  const { scope, windowFor } = useScope();
  const { quantiles } = TOKENS[useComputedColorScheme('light')];
  const s = useSignals(source, rateWindow(windowFor(240).stepMs, scrapeMs));

  const colorOf = useCallback((labels: Labels) => {
    const at = models.indexOf(labels['model'] ?? '');
    return at < 0 ? undefined : at;
  }, [models]);
  const onPick = useCallback((labels: Labels) => {
    const model = labels['model'];
    if (model !== undefined) changeScope({ filters: withFilter(scope.filters, 'model', model) });
  }, [scope.filters]);

  const panels = useMemo((): Panel[] => {
    const byModel = { colorOf, onPick, pickLabel: (name: string) => t('overview.narrow', { name }) };
    const latencyPanel = (id: string, title: string, help: string, expr: (q: number, ...by: string[]) => string): Panel => {
      if (latency === 'model') return { id, title, help, unit: 'seconds', queries: [{ expr: expr(0.99, 'model') }], headline: 'max', ...byModel };
      const queries = QUANTILES.map(([q, name], i): PanelQuery => ({ expr: expr(q), name, color: quantiles[i] ?? '' }));
      return { id, title, help, unit: 'seconds', banded: true, queries, headline: 'final' };
    };
    const hint = (name: string) => t('overview.noSeries', { metric: metric(name) });
    return [
      { id: 'rps', title: t('signal.requests'), help: t('help.requests'), unit: 'perSecond', queries: [{ expr: s.requests }], headline: 'sum', ...byModel },
      latencyPanel('e2e', t('signal.e2e'), t('help.e2e'), s.endToEnd),
      latencyPanel('ttft', t('signal.ttft'), t('help.ttft'), s.firstToken),
      { id: 'errors', title: t('signal.errors'), help: t('help.errors'), unit: 'ratio', queries: [{ expr: s.errors }], headline: 'max', ...byModel },
      latencyPanel('tpot', t('signal.tpot'), t('help.tpot'), s.perToken),
      {
        id: 'tokens', title: t('signal.tokens'), help: t('help.tokens'), unit: 'perSecond',
        queries: [{ expr: s.tokensIn, name: t('signal.tokensIn') }, { expr: s.tokensOut, name: t('signal.tokensOut') }],
      },
      {
        id: 'queue', title: t('signal.queue'), help: t('help.queue'), unit: 'short', headline: 'sum',
        queries: [{ expr: `sum(${s.running})`, name: t('signal.running') }, { expr: `sum(${s.waiting})`, name: t('signal.waiting') }],
      },
      {
        id: 'kv', title: t('signal.kv'), help: t('help.kv'), unit: 'ratio', queries: [{ expr: s.kvCache }], headline: 'max',
        emptyHint: hint('kv_cache_usage_ratio'), ...byModel,
      },
      {
        id: 'prefix', title: t('signal.prefix'), help: t('help.prefix'), unit: 'ratio', queries: [{ expr: s.prefixHits }],
        emptyHint: hint('prefix_cache_hit_tokens_total'), ...byModel,
      },
    ];
  }, [s, latency, quantiles, colorOf, onPick, t]);

  return (
    <div className={classes.charts}>
      {panels.map(({ id, ...panel }) => <ChartPanel key={id} {...panel} enabled={enabled} minStepMs={Math.min(scrapeMs, 15_000)} />)}
    </div>
  );
}
