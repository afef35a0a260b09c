import { Button, VisuallyHidden } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../../components/Icon';
import { applyPanels, EMPTY_PANEL, parsePanels, type ExplorePanel as Panel } from '../../lib/explore';
import { getLocation, navigate, useLocation } from '../../state/location';
import { ExplorePanel } from './ExplorePanel';
import classes from './Explore.module.css';

function write(panels: readonly Panel[]): void {
  const { path, search } = getLocation();
  navigate(path, applyPanels(new URLSearchParams(search), panels).toString());
}

/** PromQL, asked and answered: any number of queries, one below the other, all of them in the URL. */
export function ExplorePage() {
  const { t } = useTranslation();
  const { search } = useLocation();
  const panels = useMemo(() => parsePanels(new URLSearchParams(search)), [search]);
  return (
    <div className={classes.page}>
      <VisuallyHidden><h1>{t('nav.explore')}</h1></VisuallyHidden>
      {panels.map((panel, i) => (
        <ExplorePanel key={i} index={i} panel={panel}
          onChange={(change) => write(panels.map((old, at) => (at === i ? change(old) : old)))}
          onRemove={panels.length > 1 ? () => write(panels.filter((_, at) => at !== i)) : undefined} />
      ))}
      <div>
        <Button variant="default" size="compact-sm" leftSection={<Icon name="plus" size={14} />} onClick={() => write([...panels, EMPTY_PANEL])}>
          {t('explore.addPanel')}
        </Button>
      </div>
    </div>
  );
}
