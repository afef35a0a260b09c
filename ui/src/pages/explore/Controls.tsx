import { ActionIcon, Button, Menu, SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Choices } from '../../components/Choices';
import { Icon } from '../../components/Icon';
import { formatDuration } from '../../lib/duration';
import type { Density, ExplorePanel } from '../../lib/explore';
import { formatDateTime, resolveTime, type TimeZone } from '../../lib/time';
import classes from './Explore.module.css';

type Change = (part: Partial<ExplorePanel>) => void;

const STEPS_MS = [1000, 5000, 15_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000];

export interface GraphControlsProps {
  readonly panel: ExplorePanel;
  readonly stepMs: number;
  readonly onChange: Change;
}

/** How the graph is drawn, and how finely. */
export function GraphControls({ panel, stepMs, onChange }: GraphControlsProps) {
  const { t } = useTranslation();
  const densities: ReadonlyArray<readonly [Density, string]> = [
    ['low', t('explore.low')], ['medium', t('explore.medium')], ['high', t('explore.high')],
  ];
  const fixed = panel.stepMs !== undefined && !STEPS_MS.includes(panel.stepMs) ? [...STEPS_MS, panel.stepMs] : STEPS_MS;
  return (
    <>
      <SegmentedControl size="xs" aria-label={t('explore.display')} value={panel.stacked ? 'stacked' : 'lines'} onChange={(v) => onChange({ stacked: v === 'stacked' })}
        data={[{ value: 'lines', label: t('explore.lines') }, { value: 'stacked', label: t('explore.stacked') }]} />
      <Menu position="bottom-start">
        <Menu.Target>
          <Button variant="default" size="compact-sm" rightSection={<Icon name="down" size={12} />}>{t('explore.step', { step: formatDuration(stepMs) })}</Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('explore.automatic')}</Menu.Label>
          <Choices choices={densities.map(([id, text]) => ({ id, text }))} chosen={panel.stepMs === undefined ? panel.density : ''}
            onChoose={(id) => onChange({ density: densities.find(([d]) => d === id)?.[0] ?? 'medium', stepMs: undefined })} />
          <Menu.Label>{t('explore.fixedStep')}</Menu.Label>
          <Choices choices={fixed.map((ms) => ({ id: String(ms), text: formatDuration(ms) }))} chosen={String(panel.stepMs ?? '')}
            onChoose={(ms) => onChange({ stepMs: Number(ms) })} />
        </Menu.Dropdown>
      </Menu>
      {(panel.rangeMs !== undefined || panel.endMs !== undefined) && (
        <Button variant="light" size="compact-sm" rightSection={<Icon name="close" size={12} />}
          onClick={() => onChange({ rangeMs: undefined, endMs: undefined })} title={t('explore.followPage')}>
          {t('explore.ownRange', { range: formatDuration(panel.rangeMs ?? 3_600_000) })}
        </Button>
      )}
    </>
  );
}

export interface TableControlsProps {
  readonly panel: ExplorePanel;
  readonly tz: TimeZone;
  readonly endMs: number;
  readonly onChange: Change;
}

/** When the table is evaluated: at the end of the range, or at a time of its own. */
export function TableControls({ panel, tz, endMs, onChange }: TableControlsProps) {
  const { t } = useTranslation();
  const [text, setText] = useState<string>();
  const shown = text ?? (panel.momentMs === undefined ? '' : formatDateTime(panel.momentMs, tz));
  const read = text === undefined || text.trim() === '' ? undefined : resolveTime(text, Date.now(), tz);
  const commit = () => {
    if (text === undefined) return;
    if (text.trim() === '') onChange({ momentMs: undefined });
    else if (read !== undefined) onChange({ momentMs: read });
    else return;
    setText(undefined);
  };
  const step = (ms: number) => onChange({ momentMs: endMs + ms });
  const button = { variant: 'subtle', color: 'gray', size: 28 } as const;
  return (
    <div className={classes.moment}>
      <ActionIcon {...button} aria-label={t('explore.earlier')} title={t('explore.earlier')} onClick={() => step(-300_000)}><Icon name="left" /></ActionIcon>
      <TextInput size="xs" w={178} aria-label={t('explore.moment')} placeholder={t('explore.momentEnd')} value={shown} onChange={(e) => setText(e.currentTarget.value)}
        onBlur={commit} onKeyDown={(e) => { if (e.key === 'Enter') commit(); }}
        error={text !== undefined && text.trim() !== '' && read === undefined} leftSection={<Icon name="clock" size={14} />} />
      <ActionIcon {...button} aria-label={t('explore.later')} title={t('explore.later')} onClick={() => step(300_000)}><Icon name="right" /></ActionIcon>
      {panel.momentMs !== undefined && (
        <ActionIcon {...button} aria-label={t('explore.momentClear')} title={t('explore.momentClear')} onClick={() => onChange({ momentMs: undefined })}><Icon name="close" size={14} /></ActionIcon>
      )}
    </div>
  );
}
