import { ActionIcon, Button, Popover, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { isRelative, formatDate, formatDateTime, formatClock, resolveTime } from '../../lib/time';
import { shiftRange, zoomRange, type Scope, type TimeRange } from '../../lib/scope';
import { overlay } from '../../state/app';
import { Icon } from '../Icon';
import { changeScope, setAbsoluteRange, useScope } from '../scope/useScope';
import classes from './Shell.module.css';

const QUICK = ['5m', '15m', '30m', '1h', '3h', '6h', '12h', '1d', '2d', '7d', '30d'].map((length) => `now-${length}`);

const UNITS: Readonly<Record<string, 'second' | 'minute' | 'hour' | 'day' | 'week'>> = { s: 'second', m: 'minute', h: 'hour', d: 'day', w: 'week' };

function useRangeText(): (scope: Scope, range: TimeRange) => string {
  const { t, i18n } = useTranslation();
  return ({ from, to, tz }, { fromMs, toMs }) => {
    const [, count, letter] = (to === 'now' ? /^now-(\d+)([smhdw])$/.exec(from) : null) ?? [];
    const unit = UNITS[letter ?? ''];
    if (unit) {
      return t('time.last', { duration: new Intl.NumberFormat(i18n.language, { style: 'unit', unit, unitDisplay: 'long' }).format(Number(count)) });
    }
    if (isRelative(from) && isRelative(to)) return `${from} → ${to}`;
    const sameDay = formatDate(fromMs, tz) === formatDate(toMs, tz);
    return `${formatDateTime(fromMs, tz)} → ${sameDay ? formatClock(toMs, tz) : formatDateTime(toMs, tz)}`;
  };
}

interface FormProps {
  readonly scope: Scope;
  readonly range: TimeRange;
  readonly onDone: () => void;
}

function TimeForm({ scope, range, onDone }: FormProps) {
  const { t } = useTranslation();
  const textOf = useRangeText();
  const shown = (text: string, ms: number) => (isRelative(text) ? text : formatDateTime(ms, scope.tz));
  const [from, setFrom] = useState(shown(scope.from, range.fromMs));
  const [to, setTo] = useState(shown(scope.to, range.toMs));
  const read = (text: string) => resolveTime(text, Date.now(), scope.tz);
  const [fromMs, toMs] = [read(from), read(to)];
  const inOrder = fromMs === undefined || toMs === undefined || fromMs < toMs;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (fromMs === undefined || toMs === undefined || !inOrder) return;
    const stored = (text: string, ms: number) => (isRelative(text) ? text.trim() : String(ms));
    changeScope({ from: stored(from, fromMs), to: stored(to, toMs) });
    onDone();
  };
  return (
    <div className={classes.timeForm}>
      <div className={classes.quick}>
        {QUICK.map((id) => (
          <Button key={id} size="compact-sm" variant={scope.from === id && scope.to === 'now' ? 'light' : 'subtle'}
            color={scope.from === id && scope.to === 'now' ? 'indigo' : 'gray'} justify="flex-start"
            onClick={() => { changeScope({ from: id, to: 'now' }); onDone(); }}>
            {textOf({ ...scope, from: id, to: 'now' }, range)}
          </Button>
        ))}
      </div>
      <form onSubmit={submit}>
        <TextInput label={t('time.from')} value={from} onChange={(e) => setFrom(e.currentTarget.value)} mb={8}
          error={fromMs === undefined ? t('time.unreadable') : undefined} />
        <TextInput label={t('time.to')} value={to} onChange={(e) => setTo(e.currentTarget.value)} mb={8}
          error={toMs === undefined ? t('time.unreadable') : inOrder ? undefined : t('time.order')} description={t('time.hint')} inputWrapperOrder={['label', 'input', 'error', 'description']} />
        <Button type="submit" size="compact-sm">{t('time.apply')}</Button>
      </form>
    </div>
  );
}

/** The time range: what it is, and steps to the past, to the future, and out. */
export function TimeControls() {
  const { t } = useTranslation();
  const { scope, range } = useScope();
  const open = overlay.use() === 'time';
  const textOf = useRangeText();
  const go = (next: TimeRange) => setAbsoluteRange(next.fromMs, next.toMs);
  const step = { variant: 'subtle', color: 'gray', size: 28 } as const;
  return (
    <div className={classes.group}>
      <ActionIcon {...step} className={classes.wide} aria-label={t('time.back')} title={t('time.back')} onClick={() => go(shiftRange(range, -0.5))}><Icon name="left" /></ActionIcon>
      <Popover opened={open} onChange={(next) => overlay.set(next ? 'time' : 'none')} position="bottom-end" trapFocus returnFocus>
        <Popover.Target>
          <Button variant="default" size="compact-sm" leftSection={<Icon name="clock" size={14} />} rightSection={<Icon name="down" size={12} />}
            onClick={() => overlay.set(open ? 'none' : 'time')} aria-label={t('time.range', { range: textOf(scope, range) })}>
            {textOf(scope, range)}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <TimeForm key={`${scope.from}${scope.to}${scope.tz}`} scope={scope} range={range} onDone={() => overlay.set('none')} />
        </Popover.Dropdown>
      </Popover>
      <ActionIcon {...step} className={classes.wide} aria-label={t('time.forward')} title={t('time.forward')} onClick={() => go(shiftRange(range, 0.5))}><Icon name="right" /></ActionIcon>
      <ActionIcon {...step} aria-label={t('time.zoomOut')} title={t('time.zoomOut')} onClick={() => go(zoomRange(range, 2))}><Icon name="zoomOut" /></ActionIcon>
    </div>
  );
}
