import { ActionIcon, Modal, Popover, Tooltip } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { absoluteUrl, ApiError } from '../../api/client';
import { formatExpr, instantParams, rangeParams } from '../../api/query';
import { CopyButton } from '../../components/CopyButton';
import { Icon, type IconName } from '../../components/Icon';
import { PickList } from '../../components/PickList';
import type { ExplorePanel } from '../../lib/explore';
import { asCurl } from '../../lib/promql';
import { search } from '../../lib/search';
import { forgetQueries, savedQueries } from '../../state/saved';
import classes from './Explore.module.css';
import { MetricExplorer } from './MetricExplorer';
import type { PanelWindow } from './usePanelWindow';

export interface QueryToolsProps {
  readonly draft: string;
  readonly panel: ExplorePanel;
  readonly window: PanelWindow;
  readonly onDraft: (text: string) => void;
  readonly onRun: (text: string) => void;
  readonly onInsert: (text: string) => void;
}

interface ToolProps {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
}

function Tool({ icon, label, onClick, disabled = false }: ToolProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size={28} aria-label={label} disabled={disabled} onClick={onClick}><Icon name={icon} /></ActionIcon>
    </Tooltip>
  );
}

function HistoryList({ onPick }: { readonly onPick: (text: string) => void }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const [past, setPast] = useState(savedQueries);
  const forget = () => { forgetQueries(); setPast([]); };
  return (
    <>
      <PickList label={t('explore.history')} placeholder={t('explore.searchHistory')} query={query} onQuery={setQuery} emptyText={t('explore.noHistory')}
        items={search(past, query, (q) => q, 50).map((q) => ({ id: q, text: q }))} onPick={(item) => onPick(item.text)} height={260} />
      {past.length > 0 && <Tool icon="trash" label={t('explore.forget')} onClick={forget} />}
    </>
  );
}

/** What can be done with the text of a query besides running it. */
export function QueryTools({ draft, panel, window, onDraft, onRun, onInsert }: QueryToolsProps) {
  const { t } = useTranslation();
  const [history, setHistory] = useState(false);
  const [metrics, setMetrics] = useState(false);
  const [trouble, setTrouble] = useState<ReactNode>();
  const format = async () => {
    try {
      onDraft(await formatExpr(draft));
      setTrouble(undefined);
    } catch (error) {
      const missing = error instanceof ApiError && error.status === 404;
      setTrouble(missing ? t('explore.noFormat') : error instanceof Error ? error.message : String(error));
    }
  };
  const curl = panel.tab === 'graph'
    ? asCurl(absoluteUrl('query_range'), rangeParams(draft, window.range))
    : asCurl(absoluteUrl('query'), instantParams(draft, window.moment.timeMs));
  return (
    <div className={classes.tools}>
      {trouble !== undefined && <span role="status" className={classes.trouble}>{trouble}</span>}
      <Tool icon="list" label={t('explore.metrics')} onClick={() => setMetrics(true)} />
      <Popover opened={history} onChange={setHistory} width={480} position="bottom-end" trapFocus returnFocus>
        <Popover.Target>
          <ActionIcon variant="subtle" color="gray" size={28} aria-label={t('explore.history')} title={t('explore.history')} onClick={() => setHistory(!history)}>
            <Icon name="history" />
          </ActionIcon>
        </Popover.Target>
        <Popover.Dropdown className={classes.history}><HistoryList onPick={(text) => { setHistory(false); onRun(text); }} /></Popover.Dropdown>
      </Popover>
      <Tool icon="format" label={t('explore.format')} disabled={draft.trim() === ''} onClick={() => void format()} />
      <CopyButton text={curl} label={t('explore.copyCurl')} />
      <Modal opened={metrics} onClose={() => setMetrics(false)} size="xl" title={t('explore.metrics')} closeButtonProps={{ 'aria-label': t('common.close') }}>
        <MetricExplorer onPick={(name) => { setMetrics(false); onInsert(name); }} />
      </Modal>
    </div>
  );
}
