import { useCallback, useMemo } from 'react';
import { applyScope, isMoving, parseScope, resolveRange, type Scope, type ScopeChange, type TimeRange } from '../../lib/scope';
import { alignWindow, chooseStep } from '../../lib/step';
import type { InstantMoment, RangeWindow } from '../../api/query';
import { clock } from '../../state/app';
import { getLocation, navigate, useLocation } from '../../state/location';

/** Writes a change of scope into the URL of the page that is open. */
export function changeScope(change: ScopeChange, how: 'push' | 'replace' = 'push'): void {
  const { path, search } = getLocation();
  navigate(path, applyScope(new URLSearchParams(search), change).toString(), how);
}

/** Fixes the time range, as a zoom or a pan does. Whole seconds: nobody zooms deeper, and links stay short. */
export function setAbsoluteRange(fromMs: number, toMs: number): void {
  const from = Math.round(fromMs / 1000) * 1000;
  const to = Math.max(from + 5000, Math.round(toMs / 1000) * 1000);
  changeScope({ from: String(from), to: String(to) });
}

export interface ScopeView {
  readonly scope: Scope;
  /** The range as instants, moved along by the page's clock. */
  readonly range: TimeRange;
  readonly params: URLSearchParams;
  /** The end of the range, for instant queries. */
  readonly moment: InstantMoment;
  /** A window for range queries with at most so many points. */
  readonly windowFor: (maxPoints: number, minStepMs?: number) => RangeWindow;
}

export function useScope(): ScopeView {
  const { search } = useLocation();
  const nowMs = clock.use();
  const params = useMemo(() => new URLSearchParams(search), [search]);
  const scope = useMemo(() => parseScope(params), [params]);
  const range = useMemo(() => resolveRange(scope.from, scope.to, nowMs, scope.tz), [scope, nowMs]);
  const name = useMemo(() => ({
    key: `${scope.from}|${scope.to}|${scope.tz}`, moving: isMoving(scope.from, scope.to, range.toMs, nowMs),
  }), [scope, range, nowMs]);
  const moment = useMemo(() => ({ ...name, timeMs: range.toMs }), [name, range.toMs]);
  const windowFor = useCallback((maxPoints: number, minStepMs = 1000): RangeWindow => {
    const stepMs = chooseStep(range.toMs - range.fromMs, maxPoints, minStepMs);
    return { ...name, stepMs, ...alignWindow(range.fromMs, range.toMs, stepMs) };
  }, [name, range]);
  return { scope, range, params, moment, windowFor };
}
