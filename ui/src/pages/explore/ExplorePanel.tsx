import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ActionIcon, Button, SegmentedControl, Tooltip } from '@mantine/core';
import { ApiError } from '../../api/client';
import { useInstant, type ResultNotes } from '../../api/query';
import { Editor, type EditorHandle, type EditorMark } from '../../components/editor/Editor';
import { Icon } from '../../components/Icon';
import { PanelMessage } from '../../components/panel/PanelMessage';
import { PlotArea } from '../../components/panel/PlotArea';
import { usePanel } from '../../components/panel/usePanel';
import { setAbsoluteRange, useScope } from '../../components/scope/useScope';
import type { ExplorePanel as Panel } from '../../lib/explore';
import { errorPosition, offsetOf } from '../../lib/promql';
import { unitOfExpr } from '../../lib/units';
import { refreshNow } from '../../state/app';
import { rememberQuery } from '../../state/saved';
import classes from './Explore.module.css';
import { GraphControls, TableControls } from './Controls';
import { QueryTools } from './QueryTools';
import { ResultTable } from './ResultTable';
import { StatsLine } from './StatsLine';
import { usePanelWindow } from './usePanelWindow';

export interface ExplorePanelProps {
  readonly index: number;
  readonly panel: Panel;
  readonly onChange: (change: (panel: Panel) => Panel) => void;
  readonly onRemove: (() => void) | undefined;
}

function markOf(error: ApiError | undefined, text: string): EditorMark | undefined {
  const at = error ? errorPosition(error.message) : undefined;
  return error && at ? { at: offsetOf(text, at), message: error.message } : undefined;
}

const asApiError = (error: Error | null): ApiError | undefined => (error instanceof ApiError ? error : undefined);

/** One query: its text, its two views, and what it cost. */
export function ExplorePanel({ index, panel, onChange, onRemove }: ExplorePanelProps) {
  const { t } = useTranslation();
  const { scope } = useScope();
  const [draft, setDraft] = useState(panel.expr);
  const editor = useRef<EditorHandle>(null);
  const [limit, setLimit] = useState(50);
  const window = usePanelWindow(panel);
  const isGraph = panel.tab === 'graph';
  const view = usePanel([{ expr: panel.expr }], { window: window.range, enabled: isGraph && panel.expr !== '', limit });
  const instant = useInstant(panel.expr, window.moment, !isGraph);

  useEffect(() => setDraft(panel.expr), [panel.expr]);

  const error = isGraph ? (view.state.kind === 'error' ? view.state.error : undefined) : asApiError(instant.error);
  const mark = useMemo(() => (draft === panel.expr ? markOf(error, draft) : undefined), [error, draft, panel.expr]);
  const set = (part: Partial<Panel>) => onChange((old) => ({ ...old, ...part }));
  const run = (text = draft) => {
    rememberQuery(text);
    if (text !== panel.expr) set({ expr: text });
    else refreshNow();
  };
  const zoom = (fromMs: number, toMs: number) => {
    if (panel.rangeMs || panel.endMs) set({ rangeMs: Math.max(5000, toMs - fromMs), endMs: toMs });
    else setAbsoluteRange(fromMs, toMs);
  };
  const notes: ResultNotes | undefined = isGraph ? view.results[0] : instant.data;
  const seriesCount = isGraph ? view.lines.length + view.left : instant.data && 'series' in instant.data.result ? instant.data.result.series.length : undefined;

  return (
    <section className={classes.panel} aria-label={t('explore.query', { n: index + 1 })}>
      <div className={classes.queryRow}>
        <Editor value={draft} onChange={setDraft} onRun={() => run()} handle={editor} mark={mark}
          label={t('explore.expression', { n: index + 1 })} placeholder={t('explore.placeholder')} />
        <Button size="compact-md" className={classes.run} leftSection={<Icon name="play" size={14} />} onClick={() => run()}>{t('explore.run')}</Button>
        {onRemove && (
          <Tooltip label={t('explore.removePanel')}>
            <ActionIcon variant="subtle" color="gray" size={32} aria-label={t('explore.removePanel')} onClick={onRemove}><Icon name="trash" /></ActionIcon>
          </Tooltip>
        )}
      </div>
      <div className={classes.toolRow}>
        <SegmentedControl size="xs" value={panel.tab} onChange={(tab) => set({ tab: tab === 'table' ? 'table' : 'graph' })} aria-label={t('explore.view')}
          data={[{ value: 'table', label: t('explore.table') }, { value: 'graph', label: t('explore.graph') }]} />
        {isGraph
          ? <GraphControls panel={panel} stepMs={window.range.stepMs} onChange={set} />
          : <TableControls panel={panel} tz={scope.tz} endMs={window.moment.timeMs} onChange={set} />}
        <span className={classes.fill} />
        <QueryTools draft={draft} panel={panel} window={window} onDraft={setDraft} onRun={(text) => { setDraft(text); run(text); }}
          onInsert={(text) => (editor.current ? editor.current.insert(text) : setDraft(draft + text))} />
      </div>
      {panel.expr === '' && <p className={classes.hint}>{t('explore.start')}</p>}
      {panel.expr !== '' && isGraph && (
        view.state.kind === 'ready'
          ? (
            <div data-stale={view.staleSinceMs !== undefined || undefined}>
              <PlotArea title={t('explore.query', { n: index + 1 })} view={view} unit={unitOfExpr(panel.expr)} tz={scope.tz} stacked={panel.stacked} banded={false}
                fromZero={false} height={320} asTable={false} fromMs={window.fromMs} toMs={window.toMs} onRange={zoom} onTable={() => set({ tab: 'table' })} />
              {view.left > 0 && <Button size="compact-xs" variant="default" onClick={() => setLimit(limit * 4)}>{t('explore.showMore')}</Button>}
              {(view.results[0]?.histograms ?? 0) > 0 && <p className={classes.hint}>{t('explore.histograms', { count: view.results[0]?.histograms ?? 0 })}</p>}
            </div>
          )
          : <PanelMessage state={view.state} height={320} emptyHint={t('explore.emptyHint')} />
      )}
      {panel.expr !== '' && !isGraph && <ResultTable answer={instant} tz={scope.tz} />}
      {panel.expr !== '' && notes && !error && <StatsLine notes={notes} seriesCount={seriesCount} />}
    </section>
  );
}
