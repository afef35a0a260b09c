import { ActionIcon, Button, Menu, useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { formatDuration } from '../../lib/duration';
import { LANGUAGES, switchLanguage, type Language } from '../../lib/i18n';
import { formatOffset } from '../../lib/time';
import { refreshNow } from '../../state/app';
import { getLocation, navigate } from '../../state/location';
import { saveLanguage } from '../../state/saved';
import { Choices } from '../Choices';
import { Icon, type IconName } from '../Icon';
import { changeScope, useScope } from '../scope/useScope';
import { setParam } from './setParam';
import classes from './Shell.module.css';

const REFRESH = ['off', '5s', '10s', '15s', '30s', '1m', '5m'];

export function RefreshMenu() {
  const { t } = useTranslation();
  const { scope } = useScope();
  const current = scope.refreshMs === 0 ? 'off' : formatDuration(scope.refreshMs);
  const textOf = (id: string) => (id === 'off' ? t('shell.refreshOff') : id);
  return (
    <div className={classes.group}>
      <ActionIcon variant="subtle" color="gray" size={30} aria-label={t('shell.refreshNow')} title={t('shell.refreshNow')} onClick={refreshNow}>
        <Icon name="refresh" size={17} />
      </ActionIcon>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="subtle" color="gray" size="compact-sm" px={6} aria-label={t('shell.refreshEvery', { every: textOf(current) })}
            rightSection={<Icon name="down" size={12} />}>
            {textOf(current)}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Choices choices={REFRESH.map((id) => ({ id, text: textOf(id) }))} chosen={current} onChoose={(refresh) => changeScope({ refresh }, 'replace')} />
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

const ZONES = ['browser', 'utc', 'Asia/Shanghai', 'Asia/Tokyo', 'Europe/London', 'Europe/Berlin', 'America/New_York', 'America/Los_Angeles'];

export function ZoneMenu() {
  const { t } = useTranslation();
  const { scope, range } = useScope();
  const zones = ZONES.includes(scope.tz) ? ZONES : [...ZONES, scope.tz];
  const nameOf = (id: string) => (id === 'browser' ? t('shell.zoneBrowser') : id === 'utc' ? 'UTC' : id);
  const offset = formatOffset(range.toMs, scope.tz);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button className={classes.wide} variant="subtle" color="gray" size="compact-sm" px={6} aria-label={t('shell.zone', { zone: nameOf(scope.tz), offset })}>
          {offset}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Choices choices={zones.map((id) => ({ id, text: `${nameOf(id)} · ${formatOffset(range.toMs, id)}` }))} chosen={scope.tz}
          onChoose={(tz) => changeScope({ tz }, 'replace')} />
      </Menu.Dropdown>
    </Menu>
  );
}

export function LanguageMenu() {
  const { t, i18n } = useTranslation();
  const choose = async (id: string) => {
    saveLanguage(id);
    await switchLanguage(id as Language);
    const { path, search } = getLocation();
    navigate(path, setParam(search, 'lang', id), 'replace');
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={30} aria-label={t('shell.language')} title={t('shell.language')}><Icon name="language" size={18} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Choices choices={LANGUAGES.map(({ id, name }) => ({ id, text: name }))} chosen={i18n.language} onChoose={(id) => void choose(id)} />
      </Menu.Dropdown>
    </Menu>
  );
}

const SCHEMES: ReadonlyArray<{ id: 'light' | 'dark' | 'auto'; icon: IconName; title: string }> = [
  { id: 'light', icon: 'sun', title: 'shell.themeLight' },
  { id: 'dark', icon: 'moon', title: 'shell.themeDark' },
  { id: 'auto', icon: 'auto', title: 'shell.themeAuto' },
];

export function ThemeMenu() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const choose = (id: string) => {
    // A theme in the link would win over the choice at the next visit.
    const { path, search } = getLocation();
    navigate(path, setParam(search, 'theme', undefined), 'replace');
    setColorScheme(id as 'light' | 'dark' | 'auto');
  };
  const icon = SCHEMES.find(({ id }) => id === colorScheme)?.icon ?? 'auto';
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={30} aria-label={t('shell.theme')} title={t('shell.theme')}><Icon name={icon} size={18} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Choices choices={SCHEMES.map(({ id, title }) => ({ id, text: t(title) }))} chosen={colorScheme} onChoose={choose} />
      </Menu.Dropdown>
    </Menu>
  );
}
