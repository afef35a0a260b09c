import { Button, Skeleton } from '@mantine/core';
import { useEffect, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { ApiError } from '../../api/client';
import { errorPosition } from '../../lib/promql';
import { refreshNow } from '../../state/app';
import { Icon, type IconName } from '../Icon';
import { Link } from '../Link';
import { changeScope, useScope } from '../scope/useScope';
import classes from './Panel.module.css';
import type { PanelState } from './usePanel';

export interface PanelMessageProps {
  readonly state: Exclude<PanelState, { kind: 'ready' }>;
  readonly height: number;
  /** Why there may be nothing, in the words of the one who asked. */
  readonly emptyHint?: ReactNode;
}

function Message({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className={classes.message}>
      <Icon name={icon} size={20} />
      <strong>{title}</strong>
      {children}
    </div>
  );
}

function ErrorMessage({ error }: { error: ApiError }) {
  const { t } = useTranslation();
  const titles: Readonly<Record<string, string>> = {
    bad_data: t('panel.errorBadData'), execution: t('panel.errorExecution'), timeout: t('panel.errorTimeout'),
    offline: t('panel.errorOffline'), not_ready: t('panel.errorNotReady'),
  };
  const at = errorPosition(error.message);
  return (
    <Message icon="warn" title={titles[error.kind] ?? t('panel.errorOther')}>
      <code className={classes.errorText}>{error.message}</code>
      {at && <span>{t('panel.errorAt', { line: at.line, column: at.column })}</span>}
      {(error.isOutage || error.kind === 'timeout') && (
        <Button size="compact-xs" variant="default" onClick={refreshNow}>{t('panel.retry')}</Button>
      )}
    </Message>
  );
}

/** No series is not zero: says which of the reasons it is, and what to do about it. */
function EmptyMessage({ hint }: { hint: ReactNode }) {
  const { t } = useTranslation();
  const { scope } = useScope();
  return (
    <Message icon="idle" title={t('panel.empty')}>
      {hint ? <span>{hint}</span> : <span>{t('panel.emptyHint')}</span>}
      {scope.filters.length > 0
        ? <Button size="compact-xs" variant="default" onClick={() => changeScope({ filters: [] })}>{t('panel.clearFilters')}</Button>
        : <Link to="/targets">{t('panel.seeTargets')}</Link>}
    </Message>
  );
}

/** After ten seconds a wait needs a reason. */
function Waiting({ height }: { height: number }) {
  const { t } = useTranslation();
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), 10_000);
    return () => clearTimeout(timer);
  }, []);
  if (long) return <Message icon="clock" title={t('panel.loading')}><span>{t('panel.slow')}</span></Message>;
  return <Skeleton height={height} radius={4} role="status" aria-label={t('panel.loading')} />;
}

/** What stands where a chart would be. As high as the chart, so that nothing jumps. */
export function PanelMessage({ state, height, emptyHint }: PanelMessageProps) {
  return (
    <div className={classes.messageBox} style={{ minHeight: height }}>
      {state.kind === 'loading' && <Waiting height={height} />}
      {state.kind === 'error' && <ErrorMessage error={state.error} />}
      {state.kind === 'empty' && <EmptyMessage hint={emptyHint} />}
    </div>
  );
}
