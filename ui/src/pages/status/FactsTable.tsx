import { Skeleton, TextInput } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import type { Facts } from '../../api/status';
import { Icon } from '../../components/Icon';
import { PanelMessage } from '../../components/panel/PanelMessage';
import classes from './Status.module.css';

export interface FactsTableProps {
  readonly title: string;
  readonly answer: UseQueryResult<Facts>;
  readonly searchable?: boolean;
}

/** Names and values as the server gives them: they are what its documentation calls them, in any language. */
export function FactsTable({ title, answer, searchable = false }: FactsTableProps) {
  const { t } = useTranslation();
  const id = useId();
  const [query, setQuery] = useState('');
  const wanted = query.trim().toLowerCase();
  const rows = (answer.data ?? []).filter((fact) => fact.some((text) => text.toLowerCase().includes(wanted)));
  return (
    <section className={classes.card} aria-labelledby={id}>
      <header className={classes.head}>
        <h2 id={id}>{title}</h2>
        {searchable && (
          <TextInput size="xs" w={240} leftSection={<Icon name="search" size={14} />} aria-label={t('status.searchFlags')} placeholder={t('status.searchFlags')}
            value={query} onChange={(event) => setQuery(event.currentTarget.value)} />
        )}
      </header>
      {answer.data && (
        <table className={classes.facts}>
          <tbody>{rows.map(([name, value]) => <tr key={name}><th scope="row">{name}</th><td>{value === '' ? '–' : value}</td></tr>)}</tbody>
        </table>
      )}
      {!answer.data && (answer.error instanceof ApiError
        ? <PanelMessage state={{ kind: 'error', error: answer.error }} height={120} />
        : <Skeleton height={120} role="status" aria-label={t('common.loading')} />)}
    </section>
  );
}
