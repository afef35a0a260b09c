import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { keys } from '../../api/keys';
import { clock, refreshes } from '../../state/app';
import { useLocation } from '../../state/location';
import { useScope } from '../scope/useScope';

/** Moves the page's clock at the chosen interval, on return to the tab, and on a change of page; then asks again. */
export function useTicker(): void {
  const client = useQueryClient();
  const { scope } = useScope();
  const { path } = useLocation();
  const now = clock.use();
  const asked = refreshes.use();
  const first = useRef(true);

  useEffect(() => {
    if (scope.refreshMs === 0) return;
    const tick = () => {
      if (document.visibilityState === 'visible') clock.set(Date.now());
    };
    const back = () => {
      if (Date.now() - clock.get() > scope.refreshMs) tick();
    };
    const timer = setInterval(tick, scope.refreshMs);
    document.addEventListener('visibilitychange', back);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', back);
    };
  }, [scope.refreshMs]);

  useEffect(() => {
    if (Date.now() - clock.get() > 5000) clock.set(Date.now());
  }, [path]);

  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    void client.invalidateQueries({ queryKey: keys.live });
  }, [now, client]);

  useEffect(() => {
    if (asked > 0) void client.invalidateQueries();
  }, [asked, client]);
}
