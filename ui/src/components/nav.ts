import type { IconName } from './Icon';

export interface NavEntry {
  readonly path: string;
  readonly icon: IconName;
  /** A key of the language files. */
  readonly title: string;
  /** After `g`, the letter that goes there. */
  readonly letter: string;
  /** Whether the filters in the header narrow what the page shows. */
  readonly filtered?: boolean;
}

/** The pages that there are, in groups; a page that is added takes its place here and in router.tsx. */
export const NAV: ReadonlyArray<{ readonly title: string; readonly entries: readonly NavEntry[] }> = [
  {
    title: 'nav.watch',
    entries: [{ path: '/', icon: 'overview', title: 'nav.overview', letter: 'o', filtered: true }],
  },
  {
    title: 'nav.ask',
    entries: [{ path: '/explore', icon: 'explore', title: 'nav.explore', letter: 'e' }],
  },
  {
    title: 'nav.server',
    entries: [
      { path: '/targets', icon: 'targets', title: 'nav.targets', letter: 't' },
      { path: '/status', icon: 'status', title: 'nav.status', letter: 's' },
    ],
  },
];

export const NAV_ENTRIES: readonly NavEntry[] = NAV.flatMap((group) => group.entries);

export const isFiltered = (path: string): boolean => NAV_ENTRIES.some((entry) => entry.path === path && entry.filtered === true);
