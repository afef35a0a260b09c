import { useMemo } from 'react';
import type { InstantMoment, RangeWindow } from '../../api/query';
import { useScope } from '../../components/scope/useScope';
import { POINTS, type ExplorePanel } from '../../lib/explore';
import { isMoving } from '../../lib/scope';
import { alignWindow, chooseStep } from '../../lib/step';
import { clock } from '../../state/app';

export interface PanelWindow {
  readonly range: RangeWindow;
  readonly fromMs: number;
  readonly toMs: number;
  readonly moment: InstantMoment;
}

/** When a panel looks: at a range of its own if its link had one, else at the page's. */
export function usePanelWindow(panel: ExplorePanel): PanelWindow {
  const { scope, range } = useScope();
  const nowMs = clock.use();
  return useMemo(() => {
    const own = panel.rangeMs !== undefined || panel.endMs !== undefined;
    const toMs = own ? (panel.endMs ?? nowMs) : range.toMs;
    const fromMs = own ? toMs - (panel.rangeMs ?? 3_600_000) : range.fromMs;
    const stepMs = panel.stepMs && (toMs - fromMs) / panel.stepMs <= 11_000 ? panel.stepMs : chooseStep(toMs - fromMs, POINTS[panel.density]);
    const key = own ? `${panel.rangeMs ?? ''}@${panel.endMs ?? 'now'}` : `${scope.from}|${scope.to}|${scope.tz}`;
    const moving = own ? panel.endMs === undefined : isMoving(scope.from, scope.to, toMs, nowMs);
    const timeMs = panel.momentMs ?? toMs;
    const moment = panel.momentMs ? { key: String(timeMs), moving: timeMs > nowMs, timeMs } : { key, moving, timeMs };
    return { range: { key, moving, stepMs, ...alignWindow(fromMs, toMs, stepMs) }, fromMs, toMs, moment };
  }, [panel, scope, range, nowMs]);
}
