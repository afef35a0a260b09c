import { TextInput } from '@mantine/core';
import { useId, useState, type KeyboardEvent, type ReactNode } from 'react';
import { Icon } from './Icon';
import classes from './PickList.module.css';

export interface PickItem {
  readonly id: string;
  readonly text: string;
  readonly note?: ReactNode;
  readonly before?: ReactNode;
}

export interface PickListProps {
  readonly label: string;
  readonly placeholder: string;
  readonly query: string;
  readonly onQuery: (query: string) => void;
  /** Already filtered and in order. */
  readonly items: readonly PickItem[];
  readonly onPick: (item: PickItem) => void;
  readonly emptyText: string;
  /** What Enter does with a text that is no item. */
  readonly onFree?: (text: string) => void;
  readonly height?: number | string;
}

/** A search field over a list, driven by the arrow keys: the palette, the filter form and the metric list. */
export function PickList({ label, placeholder, query, onQuery, items, onPick, emptyText, onFree, height = 320 }: PickListProps) {
  const id = useId();
  const [active, setActive] = useState(0);
  const at = Math.min(active, Math.max(0, items.length - 1));

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const by = moves[event.key];
    if (by !== undefined && items.length > 0) {
      event.preventDefault();
      const next = Math.max(0, Math.min(items.length - 1, at + by));
      setActive(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const item = items[at];
      if (item) onPick(item);
      else if (query.trim() !== '') onFree?.(query.trim());
    }
  };

  return (
    <div>
      <TextInput data-autofocus role="combobox" aria-expanded aria-controls={id} aria-autocomplete="list" aria-label={label}
        {...(items.length > 0 ? { 'aria-activedescendant': `${id}-${at}` } : {})}
        leftSection={<Icon name="search" />} placeholder={placeholder} value={query} onKeyDown={onKeyDown}
        onChange={(event) => { onQuery(event.currentTarget.value); setActive(0); }} />
      <div id={id} role="listbox" aria-label={label} tabIndex={-1} className={classes.list} style={{ maxHeight: height }}>
        {items.map((item, i) => (
          <div key={item.id} id={`${id}-${i}`} role="option" aria-selected={i === at} className={classes.option}
            onMouseMove={() => setActive(i)} onClick={() => onPick(item)}>
            {item.before}
            <span className={classes.text}>{item.text}</span>
            {item.note !== undefined && <span className={classes.note}>{item.note}</span>}
          </div>
        ))}
      </div>
      {items.length === 0 && <p className={classes.empty}>{emptyText}</p>}
    </div>
  );
}
