import { useTranslation } from 'react-i18next';
import type { ResultNotes } from '../../api/query';
import { Icon } from '../../components/Icon';
import { formatValue } from '../../lib/units';
import classes from './Explore.module.css';

export interface StatsLineProps {
  readonly notes: ResultNotes;
  readonly seriesCount: number | undefined;
}

/** What the server said beside the result, and what the result cost. */
export function StatsLine({ notes, seriesCount }: StatsLineProps) {
  const { t } = useTranslation();
  const facts = [
    seriesCount === undefined ? undefined : t('explore.series', { count: seriesCount }),
    notes.samples === undefined ? undefined : t('explore.samples', { count: notes.samples, text: formatValue(notes.samples, 'short') }),
    formatValue(notes.elapsedMs / 1000, 'seconds'),
    formatValue(notes.bytes, 'bytes'),
  ].filter((fact) => fact !== undefined);
  return (
    <>
      {notes.warnings.map((text) => <p key={text} className={classes.warning}><Icon name="warn" size={15} label={t('explore.warning')} /> {text}</p>)}
      {notes.infos.map((text) => <p key={text} className={classes.info}><Icon name="info" size={15} label={t('explore.info')} /> {text}</p>)}
      <p className={classes.stats}>{facts.join(' · ')}</p>
    </>
  );
}
