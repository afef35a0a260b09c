import { useComputedColorScheme } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useInstant, useRanges } from '../../api/query';
import { Sparkline } from '../../charts/Sparkline';
import { TOKENS } from '../../charts/tokens';
import { Link } from '../../components/Link';
import { Meter } from '../../components/Meter';
import { ToneIcon } from '../../components/ToneIcon';
import { useScope } from '../../components/scope/useScope';
import { accelerators, unionExpr } from '../../lib/golden';
import { gpuHistories, gpuTiles, memoryShare, temperatureTone, type Gpu } from '../../lib/gpus';
import type { Column } from '../../lib/matrix';
import { formatValue } from '../../lib/units';
import { pointsOf } from '../../lib/values';
import classes from './Overview.module.css';

const SHOWN = 64;

interface TileProps {
  readonly gpu: Gpu;
  readonly history: Column | undefined;
  readonly color: string;
}

function Tile({ gpu, history, color }: TileProps) {
  const { t } = useTranslation();
  const hot = temperatureTone(gpu.temperature);
  const memory = memoryShare(gpu);
  return (
    <li className={classes.gpu} title={gpu.uuid}>
      <div className={classes.gpuHead}>
        <strong>{t('gpu.name', { name: gpu.name })}</strong>
        <span className={classes.gpuHeat} data-tone={hot}>
          {(hot === 'warn' || hot === 'bad') && <ToneIcon tone={hot} size={13} label={t('gpu.hot')} />}
          {formatValue(gpu.temperature, 'celsius')}
        </span>
      </div>
      <Meter label={t('gpu.utilization')} share={gpu.utilization} text={formatValue(gpu.utilization, 'ratio', 2)} />
      <Meter label={t('gpu.memory')} share={memory} text={formatValue(memory, 'ratio', 2)} title={`${formatValue(gpu.memoryUsed, 'bytes')} / ${formatValue(gpu.memoryTotal, 'bytes')}`} />
      <div className={classes.gpuFoot}>
        <span>{history && <Sparkline column={history} color={color} height={20} stretch />}</span>
        <span className={classes.dim}>{formatValue(gpu.power, 'watts')}</span>
      </div>
    </li>
  );
}

/** One tile per accelerator; nothing at all where there is none. */
export function GpuTiles() {
  const { t } = useTranslation();
  const { scope, moment, windowFor } = useScope();
  const { accent } = TOKENS[useComputedColorScheme('light')];
  const exprs = useMemo(() => accelerators(scope.filters), [scope.filters]);
  const values = useInstant(unionExpr(exprs), moment);
  const [past] = useRanges([exprs.utilization], windowFor(60));
  const gpus = useMemo(() => gpuTiles(pointsOf(values.data?.result)), [values.data]);
  const histories = useMemo(() => {
    const result = past?.data;
    return result ? gpuHistories(result.series, result.startMs, result.endMs, result.stepMs) : new Map<string, Column>();
  }, [past?.data]);
  if (gpus.length === 0) return null;
  const hosts = [...new Set(gpus.slice(0, SHOWN).map((gpu) => gpu.host))];
  return (
    <section className={classes.card} aria-labelledby="gpus-title">
      <header className={classes.cardHead}>
        <h2 id="gpus-title">{t('gpu.title')}</h2>
        <span className={classes.dim}>{t('gpu.count', { count: gpus.length })}</span>
      </header>
      <div className={classes.gpuHosts}>
        {hosts.map((host) => (
          <div key={host}>
            <h3 className={classes.hostName}>{host}</h3>
            <ul className={classes.gpus}>
              {gpus.slice(0, SHOWN).filter((gpu) => gpu.host === host).map((gpu) => (
                <Tile key={gpu.key} gpu={gpu} history={histories.get(gpu.key)} color={accent} />
              ))}
            </ul>
          </div>
        ))}
      </div>
      {gpus.length > SHOWN && (
        <p className={classes.dim}>
          {t('gpu.more', { shown: SHOWN, total: gpus.length })}{' '}
          <Link to="/explore" search={new URLSearchParams({ 'g0.expr': exprs.utilization, 'g0.tab': 'table' })}>{t('panel.openInExplore')}</Link>
        </p>
      )}
    </section>
  );
}
