import { Skeleton } from '@mantine/core';
import { Component, lazy, Suspense, useEffect, type ComponentType, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { OverviewPage } from './pages/overview/OverviewPage';
import { NotFoundPage } from './pages/notfound/NotFoundPage';
import { useLocation } from './state/location';

const ExplorePage = lazy(async () => ({ default: (await import('./pages/explore/ExplorePage')).ExplorePage }));
const TargetsPage = lazy(async () => ({ default: (await import('./pages/targets/TargetsPage')).TargetsPage }));
const StatusPage = lazy(async () => ({ default: (await import('./pages/status/StatusPage')).StatusPage }));

interface Route {
  /** The first is ours; the others are how Prometheus names the same page, so that old links work. */
  readonly paths: readonly string[];
  readonly title: string;
  readonly page: ComponentType;
}

const ROUTES: readonly Route[] = [
  { paths: ['/'], title: 'nav.overview', page: OverviewPage },
  { paths: ['/explore', '/graph', '/query'], title: 'nav.explore', page: ExplorePage },
  { paths: ['/targets'], title: 'nav.targets', page: TargetsPage },
  { paths: ['/status', '/tsdb-status', '/flags', '/config'], title: 'nav.status', page: StatusPage },
];

interface GuardProps {
  readonly message: string;
  readonly children: ReactNode;
}

/** A page that fails to load or to draw says so, in its own place: the shell stays usable. */
class Guard extends Component<GuardProps, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return <div role="alert"><h1>{this.props.message}</h1><pre>{error.message}</pre></div>;
  }
}

export function Router() {
  const { t, i18n } = useTranslation();
  const { path } = useLocation();
  const route = ROUTES.find(({ paths }) => paths.includes(path));
  const Page = route?.page ?? NotFoundPage;
  const title = t(route?.title ?? 'notFound.title');
  useEffect(() => {
    document.title = `${title} · Sonde`;
  }, [title, i18n.language]);
  return (
    <Guard key={route?.paths[0] ?? path} message={t('common.pageFailed')}>
      <Suspense fallback={<Skeleton height={320} role="status" aria-label={t('common.loading')} />}><Page /></Suspense>
    </Guard>
  );
}
