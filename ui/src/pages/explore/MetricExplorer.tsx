import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { aboutMetric, useMetadata, useMetricNames } from '../../api/catalog';
import { PickList } from '../../components/PickList';
import { search } from '../../lib/search';
import classes from './Explore.module.css';

const SHOWN = 200;

/** Every metric with its type and its help. */
export function MetricExplorer({ onPick }: { readonly onPick: (name: string) => void }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const names = useMetricNames();
  const metadata = useMetadata();
  const found = useMemo(() => {
    const about = (name: string) => aboutMetric(metadata.data, name);
    return search(names.data ?? [], query, (name) => `${name} ${about(name)?.help ?? ''}`, SHOWN).map((name) => ({
      id: name, text: name, note: about(name)?.help ?? '',
      before: <span className={classes.type}>{about(name)?.type ?? '–'}</span>,
    }));
  }, [names.data, metadata.data, query]);
  return (
    <>
      <PickList label={t('explore.metrics')} placeholder={t('explore.searchMetrics', { count: names.data?.length ?? 0 })} query={query} onQuery={setQuery} items={found}
        onPick={(item) => onPick(item.id)} emptyText={names.isPending ? t('common.loading') : t('palette.nothing')} height="56vh" />
      {found.length === SHOWN && <p className={classes.hint}>{t('explore.firstOf', { shown: SHOWN, total: names.data?.length ?? 0 })}</p>}
    </>
  );
}
