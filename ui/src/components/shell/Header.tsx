import { ActionIcon, Button, Kbd, Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { overlay } from '../../state/app';
import { Icon } from '../Icon';
import { Link } from '../Link';
import { FilterChips } from './FilterChips';
import { LanguageMenu, RefreshMenu, ThemeMenu, ZoneMenu } from './Menus';
import classes from './Shell.module.css';
import { SimulatedBadge } from './SimulatedBadge';
import { TimeControls } from './TimeControls';

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

function Brand() {
  return (
    <>
      <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" fill="#3b4fd0" />
        <path d="M5 18h5l3-9 5 15 3.5-10 1.5 4h4" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round" />
      </svg>
      Sonde
    </>
  );
}

/** The scope in the header: of whom, when, how fresh, in whose time. */
export function Header({ onMenu }: { readonly onMenu: () => void }) {
  const { t } = useTranslation();
  return (
    <header className={classes.header}>
      <ActionIcon className={classes.menuButton} variant="subtle" color="gray" size={32} aria-label={t('shell.openMenu')} onClick={onMenu}>
        <Icon name="menu" size={20} />
      </ActionIcon>
      <Link to="/" className={classes.brand} aria-label="Sonde"><Brand /></Link>
      <Button className={classes.wide} variant="default" size="compact-sm" leftSection={<Icon name="search" size={14} />}
        rightSection={<span className={classes.searchHint}><Kbd size="xs">{isMac ? '⌘' : 'Ctrl'} K</Kbd></span>}
        onClick={() => overlay.set('palette')}>
        {t('shell.search')}
      </Button>
      <ActionIcon className={classes.narrow} variant="subtle" color="gray" size={30} aria-label={t('shell.search')} onClick={() => overlay.set('palette')}>
        <Icon name="search" size={18} />
      </ActionIcon>
      <FilterChips />
      <span className={classes.fill} />
      <SimulatedBadge />
      <TimeControls />
      <div className={classes.group}>
        <RefreshMenu />
        <ZoneMenu />
        <LanguageMenu />
        <ThemeMenu />
        <Tooltip label={t('shell.help')}>
          <ActionIcon className={classes.wide} variant="subtle" color="gray" size={30} aria-label={t('shell.help')} onClick={() => overlay.set('help')}>
            <Icon name="help" size={18} />
          </ActionIcon>
        </Tooltip>
      </div>
    </header>
  );
}
