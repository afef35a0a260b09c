import { ActionIcon, Button, CloseButton, Popover, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLabelNames, useLabelValues } from '../../api/catalog';
import { formatFilter, type MatchOp } from '../../lib/promql';
import { search } from '../../lib/search';
import { overlay } from '../../state/app';
import { useLocation } from '../../state/location';
import { Icon } from '../Icon';
import { isFiltered } from '../nav';
import { PickList } from '../PickList';
import { changeScope, useScope } from '../scope/useScope';
import classes from './Shell.module.css';

/** What is most often narrowed to comes first. */
const FIRST = ['model', 'cluster', 'instance', 'node', 'engine', 'tenant', 'gpu', 'route'];
const OPS: readonly MatchOp[] = ['=', '!=', '=~', '!~'];

function NamePicker({ onPick }: { readonly onPick: (name: string) => void }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const names = useLabelNames();
  const known = (names.data ?? []).filter((name) => !name.startsWith('__') && name !== 'le');
  const ordered = [...FIRST.filter((name) => known.includes(name)), ...known.filter((name) => !FIRST.includes(name))];
  const items = search(ordered, query, (name) => name, 100).map((name) => ({ id: name, text: name }));
  return (
    <PickList label={t('filter.label')} placeholder={t('filter.label')} query={query} onQuery={setQuery} items={items} height={240}
      onPick={(item) => onPick(item.id)} onFree={onPick} emptyText={names.isPending ? t('common.loading') : t('filter.noLabel')} />
  );
}

function ValuePicker({ name, onPick }: { readonly name: string; readonly onPick: (op: MatchOp, value: string) => void }) {
  const { t } = useTranslation();
  const { scope, range } = useScope();
  const [query, setQuery] = useState('');
  const [op, setOp] = useState<MatchOp>('=');
  const values = useLabelValues({ name, window: { key: `${scope.from}|${scope.to}`, ...range } });
  const items = search(values.data ?? [], query, (value) => value, 100).map((value) => ({ id: value, text: value }));
  const isRegex = op === '=~' || op === '!~';
  return (
    <>
      <SegmentedControl fullWidth size="xs" mb={8} aria-label={t('filter.operator')} data={[...OPS]} value={op} onChange={(next) => setOp(next as MatchOp)} />
      <PickList label={t('filter.valueOf', { name })} placeholder={isRegex ? t('filter.regex') : t('filter.valueOf', { name })} query={query} onQuery={setQuery}
        items={isRegex && query !== '' ? [] : items} onPick={(item) => onPick(op, item.id)} onFree={(text) => onPick(op, text)} height={240}
        emptyText={isRegex ? t('filter.pressEnter') : values.isPending ? t('common.loading') : t('filter.pressEnter')} />
    </>
  );
}

function AddFilter() {
  const { t } = useTranslation();
  const { scope } = useScope();
  const open = overlay.use() === 'filter';
  const [name, setName] = useState('');
  const close = () => { overlay.set('none'); setName(''); };
  return (
    <Popover width={300} opened={open} onChange={(next) => (next ? overlay.set('filter') : close())} position="bottom-start" trapFocus returnFocus>
      <Popover.Target>
        {scope.filters.length > 0
          ? <ActionIcon variant="subtle" color="gray" size={28} aria-label={t('filter.add')} title={t('filter.add')} onClick={() => overlay.set(open ? 'none' : 'filter')}><Icon name="plus" /></ActionIcon>
          : <Button variant="subtle" color="gray" size="compact-sm" leftSection={<Icon name="filter" size={14} />} onClick={() => overlay.set(open ? 'none' : 'filter')}>{t('filter.add')}</Button>}
      </Popover.Target>
      <Popover.Dropdown>
        {name === ''
          ? <NamePicker onPick={setName} />
          : <ValuePicker key={name} name={name} onPick={(op, value) => { changeScope({ filters: [...scope.filters, { name, op, value }] }); close(); }} />}
      </Popover.Dropdown>
    </Popover>
  );
}

/** What the pages are narrowed to, one chip per label. */
export function FilterChips() {
  const { t } = useTranslation();
  const { scope } = useScope();
  const { path } = useLocation();
  const applies = isFiltered(path);
  return (
    <>
      {scope.filters.map((filter, i) => (
        <span key={`${i}${formatFilter(filter)}`} className={classes.chip} data-idle={!applies || undefined} title={applies ? undefined : t('filter.notHere')}>
          <span className={classes.chipText}>{filter.name} {filter.op} <strong>{filter.value}</strong></span>
          <CloseButton size="sm" variant="transparent" aria-label={t('filter.remove', { filter: formatFilter(filter) })}
            onClick={() => changeScope({ filters: scope.filters.filter((_, at) => at !== i) })} />
        </span>
      ))}
      {applies && <AddFilter />}
    </>
  );
}
