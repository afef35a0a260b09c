import { useTranslation } from 'react-i18next';
import { useLabelValues } from '../../api/catalog';
import { Icon } from '../Icon';
import { useScope } from '../scope/useScope';
import classes from './Shell.module.css';

/** Stands in the header of every page while the range holds series of Sonde's own demo. */
export function SimulatedBadge() {
  const { t } = useTranslation();
  const { scope, range } = useScope();
  const values = useLabelValues({ name: 'simulated', match: '{simulated="true"}', window: { key: `${scope.from}|${scope.to}`, ...range } });
  if (!values.data?.includes('true')) return null;
  return (
    <span className={classes.simulated} title={t('shell.simulatedHint')}>
      <Icon name="warn" size={14} />
      {t('shell.simulated')}
    </span>
  );
}
