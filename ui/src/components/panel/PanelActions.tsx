import { ActionIcon, Popover, Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { carriedParams } from '../../lib/scope';
import { exploreSearch } from '../../lib/explore';
import { getLocation, hrefOf, navigate } from '../../state/location';
import { CodeBlock } from '../CodeBlock';
import { Icon } from '../Icon';
import classes from './Panel.module.css';

export interface PanelActionsProps {
  readonly title: string;
  readonly help: string | undefined;
  readonly exprs: readonly string[];
  readonly asTable: boolean;
  readonly onTable: () => void;
}

/** What can be done with every chart: read its query, see its numbers, take it to Explore. */
export function PanelActions({ title, help, exprs, asTable, onTable }: PanelActionsProps) {
  const { t } = useTranslation();
  const explore = () => exploreSearch(carriedParams(new URLSearchParams(getLocation().search)), exprs);
  const button = { variant: 'subtle', color: 'gray', size: 24 } as const;
  return (
    <div className={classes.actions}>
      <Popover width={420} position="bottom-end" withinPortal trapFocus returnFocus>
        <Popover.Target>
          <ActionIcon {...button} aria-label={t('panel.about', { title })} title={t('panel.aboutShort')}><Icon name="info" size={15} /></ActionIcon>
        </Popover.Target>
        <Popover.Dropdown className={classes.about}>
          <strong>{title}</strong>
          {help && <p>{help}</p>}
          {exprs.map((expr) => <CodeBlock key={expr} text={expr} copyLabel={t('panel.copyPromql')} />)}
        </Popover.Dropdown>
      </Popover>
      <Tooltip label={asTable ? t('panel.asChart') : t('panel.asTable')}>
        <ActionIcon {...button} aria-pressed={asTable} aria-label={t('panel.tableOf', { title })} onClick={onTable}>
          <Icon name={asTable ? 'chart' : 'table'} size={15} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={t('panel.openInExplore')}>
        <ActionIcon {...button} component="a" href={hrefOf('/explore', explore())} aria-label={t('panel.exploreOf', { title })}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            navigate('/explore', explore());
            window.scrollTo(0, 0);
          }}>
          <Icon name="explore" size={15} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
