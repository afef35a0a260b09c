import { Checkbox, Kbd, Modal } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { overlay } from '../../state/app';
import { lettersOn, saveLetters } from '../../state/saved';
import { NAV_ENTRIES } from '../nav';
import classes from './Shell.module.css';

/** The keyboard shortcuts. */
export function Help() {
  const { t } = useTranslation();
  const open = overlay.use() === 'help';
  const [letters, setLetters] = useState(lettersOn);
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['Ctrl/⌘ K', t('keys.palette')],
    ...NAV_ENTRIES.map(({ letter, title }) => [`g ${letter}`, t('keys.goTo', { page: t(title) })] as const),
    ['t', t('keys.time')],
    ['[', t('time.back')],
    [']', t('time.forward')],
    ['+', t('keys.zoomIn')],
    ['-', t('time.zoomOut')],
    ['r', t('shell.refreshNow')],
    ['f', t('filter.add')],
    ['?', t('shell.help')],
    ['← →', t('keys.cursor')],
    ['Enter', t('keys.table')],
    ['Ctrl/⌘ Enter', t('keys.run')],
  ];
  const mouse = [t('keys.brush'), t('keys.pan'), t('keys.doubleClick'), t('keys.legend')];
  return (
    <Modal opened={open} onClose={() => overlay.set('none')} title={t('shell.help')} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <table className={classes.keys}>
        <tbody>
          {rows.map(([keys, what]) => (
            <tr key={keys}>
              <td>{keys.split(' ').map((key) => <Kbd key={key} size="xs" mr={4}>{key}</Kbd>)}</td>
              <th scope="row">{what}</th>
            </tr>
          ))}
        </tbody>
      </table>
      <Checkbox mt={12} size="xs" label={t('keys.letters')} checked={letters}
        onChange={(event) => { setLetters(event.currentTarget.checked); saveLetters(event.currentTarget.checked); }} />
      <ul>{mouse.map((line) => <li key={line}>{line}</li>)}</ul>
    </Modal>
  );
}
