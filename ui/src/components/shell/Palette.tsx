import { Modal } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { aboutMetric, useLabelValues, useMetadata, useMetricNames } from '../../api/catalog';
import { metric } from '../../lib/golden';
import { exploreSearch } from '../../lib/explore';
import { withFilter } from '../../lib/promql';
import { carriedParams } from '../../lib/scope';
import { search } from '../../lib/search';
import { overlay } from '../../state/app';
import { getLocation, navigate } from '../../state/location';
import { Icon } from '../Icon';
import { NAV_ENTRIES } from '../nav';
import { PickList, type PickItem } from '../PickList';
import { changeScope, useScope } from '../scope/useScope';

interface Entry extends PickItem {
  readonly go: () => void;
}

const carried = () => carriedParams(new URLSearchParams(getLocation().search));

function useEntries(): Entry[] {
  const { t } = useTranslation();
  const { scope, range } = useScope();
  const names = useMetricNames();
  const metadata = useMetadata();
  const models = useLabelValues({ name: 'model', match: metric('requests_total'), window: { key: `${scope.from}|${scope.to}`, ...range } });
  return [
    ...NAV_ENTRIES.map(({ path, icon, title, letter }): Entry => ({
      id: path, text: t(title), note: `g ${letter}`, before: <Icon name={icon} />, go: () => navigate(path, carried().toString()),
    })),
    ...(models.data ?? []).map((model): Entry => ({
      id: `model ${model}`, text: model, note: t('palette.model'), before: <Icon name="filter" />,
      go: () => changeScope({ filters: withFilter(scope.filters, 'model', model) }),
    })),
    ...(names.data ?? []).map((name): Entry => ({
      id: `metric ${name}`, text: name, note: aboutMetric(metadata.data, name)?.help ?? t('palette.metric'), before: <Icon name="chart" />,
      go: () => navigate('/explore', exploreSearch(carried(), [name])),
    })),
  ];
}

function PaletteBody() {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const entries = useEntries();
  const found = search(entries, query, (entry) => entry.text, 50);
  return (
    <PickList label={t('palette.title')} placeholder={t('palette.placeholder')} query={query} onQuery={setQuery} items={found} height="50vh"
      emptyText={t('palette.nothing')} onPick={(item) => { overlay.set('none'); found.find(({ id }) => id === item.id)?.go(); }} />
  );
}

/** Everything that has a name, one keystroke away. */
export function Palette() {
  const { t } = useTranslation();
  const open = overlay.use() === 'palette';
  return (
    <Modal opened={open} onClose={() => overlay.set('none')} size="lg" yOffset="10vh" title={t('palette.title')} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <PaletteBody />
    </Modal>
  );
}
