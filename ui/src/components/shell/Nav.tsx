import { useTranslation } from 'react-i18next';
import { useLocation } from '../../state/location';
import { Icon } from '../Icon';
import { Link } from '../Link';
import { NAV } from '../nav';
import classes from './Shell.module.css';

export function Nav({ onGo }: { readonly onGo?: () => void }) {
  const { t } = useTranslation();
  const { path } = useLocation();
  const isHere = (entry: string) => (entry === '/' ? path === '/' : path === entry || path.startsWith(`${entry}/`));
  return (
    <>
      {NAV.map((group) => (
        <div key={group.title}>
          <div className={classes.navTitle}>{t(group.title)}</div>
          {group.entries.map((entry) => (
            <Link key={entry.path} to={entry.path} className={classes.navLink} aria-current={isHere(entry.path) ? 'page' : undefined}
              {...(onGo ? { onClick: onGo } : {})}>
              <Icon name={entry.icon} size={18} />
              {t(entry.title)}
            </Link>
          ))}
        </div>
      ))}
    </>
  );
}
