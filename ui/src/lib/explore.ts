import { parseDuration, formatDuration } from './duration';

// Explore's panels in the URL, under the names that Prometheus' own pages use, so that links from
// there work here: g0.expr, g0.tab, g0.range_input, g0.end_input, g0.step_input, g0.moment_input, …

export type ExploreTab = 'graph' | 'table';
export type Density = 'low' | 'medium' | 'high';

export interface ExplorePanel {
  readonly expr: string;
  readonly tab: ExploreTab;
  /** A range of the panel's own; without one it follows the page's. */
  readonly rangeMs?: number;
  readonly endMs?: number;
  readonly stepMs?: number;
  readonly density: Density;
  readonly stacked: boolean;
  /** When the table is evaluated; without it, at the end of the range. */
  readonly momentMs?: number;
}

export const EMPTY_PANEL: ExplorePanel = { expr: '', tab: 'graph', density: 'medium', stacked: false };

export const POINTS: Readonly<Record<Density, number>> = { low: 120, medium: 360, high: 1200 };

/** `2026-03-01 14:02:10`, always UTC, or an epoch. */
function parseInstant(text: string | null): number | undefined {
  if (text === null || text.trim() === '') return undefined;
  if (/^\d{12,}$/.test(text)) return Number(text);
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const ms = Date.parse(/[TZ]/.test(text) ? text : `${text.trim().replace(' ', 'T')}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

const formatInstant = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

export function parsePanels(params: URLSearchParams): ExplorePanel[] {
  const indices = new Set<number>();
  for (const key of params.keys()) {
    const found = /^g(\d+)\./.exec(key);
    if (found) indices.add(Number(found[1]));
  }
  const panels = [...indices].sort((a, b) => a - b).map((i) => parsePanel((name) => params.get(`g${i}.${name}`)));
  return panels.length > 0 ? panels : [EMPTY_PANEL];
}

function parsePanel(get: (name: string) => string | null): ExplorePanel {
  const tab = get('tab');
  const duration = (text: string | null) => (text ? parseDuration(text) : undefined);
  const density = get('res_density');
  const stepMs = duration(get('step_input') ?? get('res_step'));
  const rangeMs = duration(get('range_input'));
  const endMs = parseInstant(get('end_input'));
  const momentMs = parseInstant(get('moment_input'));
  return {
    expr: get('expr') ?? '',
    // 0 and 1 are how older versions wrote it.
    tab: tab === 'table' || tab === '1' ? 'table' : 'graph',
    density: density === 'low' || density === 'high' ? density : 'medium',
    stacked: get('display_mode') === 'stacked' || get('stacked') === '1',
    ...(rangeMs ? { rangeMs } : {}),
    ...(endMs ? { endMs } : {}),
    ...(stepMs ? { stepMs } : {}),
    ...(momentMs ? { momentMs } : {}),
  };
}

/** The parameters with these panels in place of the ones there. */
export function applyPanels(params: URLSearchParams, panels: readonly ExplorePanel[]): URLSearchParams {
  const next = new URLSearchParams();
  for (const [key, value] of params) if (!/^g\d+\./.test(key)) next.append(key, value);
  panels.forEach((panel, i) => {
    const set = (name: string, value: string) => next.set(`g${i}.${name}`, value);
    set('expr', panel.expr);
    set('tab', panel.tab);
    if (panel.stacked) set('display_mode', 'stacked');
    if (panel.rangeMs) set('range_input', formatDuration(panel.rangeMs));
    if (panel.endMs) set('end_input', formatInstant(panel.endMs));
    if (panel.stepMs) set('step_input', String(panel.stepMs / 1000));
    else if (panel.density !== 'medium') set('res_density', panel.density);
    if (panel.momentMs) set('moment_input', formatInstant(panel.momentMs));
  });
  return next;
}

/** A link's search part that opens these expressions in Explore. */
export function exploreSearch(scope: URLSearchParams, exprs: readonly string[]): string {
  return applyPanels(scope, exprs.map((expr) => ({ ...EMPTY_PANEL, expr }))).toString();
}
