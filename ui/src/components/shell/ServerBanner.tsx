import { Progress } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { keys } from '../../api/keys';
import { fetchReady, fetchWalReplay } from '../../api/status';
import { clock, serverState } from '../../state/app';
import { Icon } from '../Icon';
import classes from './Shell.module.css';

/** Asks a server that is away, less and less often, whether it is back. */
function useProbe(away: boolean) {
  const client = useQueryClient();
  const probe = useQuery({
    queryKey: keys.readiness(),
    enabled: away,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const replay = await fetchWalReplay(signal).catch(() => undefined);
      const ready = await fetchReady(signal).then(() => true, () => false);
      return { replay, ready };
    },
    refetchInterval: (query) => Math.min(5000, 1000 + query.state.dataUpdateCount * 200),
  });
  const ready = away && probe.data?.ready === true;
  useEffect(() => {
    if (!ready) return;
    serverState.set('ok');
    client.removeQueries({ queryKey: keys.readiness() });
    clock.set(Date.now());
    void client.invalidateQueries();
  }, [ready, client]);
  return probe.data?.replay;
}

/** Says why nothing moves: the server replays its log, or does not answer. */
export function ServerBanner() {
  const { t } = useTranslation();
  const state = serverState.use();
  const replay = useProbe(state !== 'ok');
  if (state === 'ok') return null;
  const share = replay && replay.max > replay.min ? (replay.current - replay.min) / (replay.max - replay.min) : undefined;
  return (
    <div className={classes.banner} role="status">
      <Icon name={state === 'offline' ? 'warn' : 'clock'} size={18} />
      <strong>{state === 'offline' ? t('server.offline') : t('server.replaying')}</strong>
      <span>{state === 'offline' ? t('server.offlineHint') : t('server.replayingHint')}</span>
      {state === 'replaying' && share !== undefined && replay && (
        <>
          <Progress value={share * 100} w={180} aria-label={t('server.replaying')} />
          <span>{t('server.segments', { current: replay.current, max: replay.max })}</span>
        </>
      )}
    </div>
  );
}
