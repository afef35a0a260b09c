import { Drawer } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { overlay } from '../../state/app';
import { useLocation } from '../../state/location';
import { Header } from './Header';
import { Help } from './Help';
import { Nav } from './Nav';
import { Palette } from './Palette';
import { ServerBanner } from './ServerBanner';
import classes from './Shell.module.css';
import { useShortcuts } from './useShortcuts';
import { useTicker } from './useTicker';

/** What stands around every page: the way to the others, and the scope that all share. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const [menu, { open, close }] = useDisclosure(false);
  const { path } = useLocation();
  useTicker();
  useShortcuts();
  // What was open belonged to the page that was left.
  useEffect(() => overlay.set('none'), [path]);
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip} onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>
        {t('shell.skip')}
      </a>
      <Header onMenu={open} />
      <nav className={classes.nav} aria-label={t('shell.pages')}><Nav /></nav>
      <Drawer opened={menu} onClose={close} size={240} title={t('shell.pages')} closeButtonProps={{ 'aria-label': t('common.close') }}>
        <Nav onGo={close} />
      </Drawer>
      <main id="main" tabIndex={-1} className={classes.main}>
        <ServerBanner />
        {children}
      </main>
      <Palette />
      <Help />
    </div>
  );
}
