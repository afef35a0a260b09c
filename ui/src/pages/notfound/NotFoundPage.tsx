import { useTranslation } from 'react-i18next';
import { Link } from '../../components/Link';
import { useLocation } from '../../state/location';

export function NotFoundPage() {
  const { t } = useTranslation();
  const { path } = useLocation();
  return (
    <>
      <h1>{t('notFound.title')}</h1>
      <p>{t('notFound.text', { path })}</p>
      <Link to="/">{t('notFound.home')}</Link>
    </>
  );
}
