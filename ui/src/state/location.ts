import { useSyncExternalStore } from 'react';

// The browser's address, as a store. Paths here are without the server's prefix.

export interface Location {
  readonly path: string;
  readonly search: string;
}

let base = '';
let current: Location = { path: '/', search: '' };
const listeners = new Set<() => void>();

function read(): Location {
  const { pathname, search } = window.location;
  const path = base !== '' && pathname.startsWith(base) ? pathname.slice(base.length) : pathname;
  return { path: path.replace(/\/+$/, '') || '/', search: search.replace(/^\?/, '') };
}

function changed(): void {
  current = read();
  for (const listener of listeners) listener();
}

/** Called once at the start, with the server's path prefix. */
export function startLocation(prefix: string): void {
  base = prefix.replace(/\/+$/, '');
  current = read();
  window.addEventListener('popstate', changed);
}

export const getLocation = (): Location => current;

export const hrefOf = (path: string, search: string): string => `${base}${path}${search ? `?${search}` : ''}`;

/** Goes to a path; `replace` leaves no trace in the history. */
export function navigate(path: string, search: string, how: 'push' | 'replace' = 'push'): void {
  if (path === current.path && search === current.search) return;
  const url = hrefOf(path, search);
  if (how === 'replace') window.history.replaceState(null, '', url);
  else window.history.pushState(null, '', url);
  changed();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useLocation = (): Location => useSyncExternalStore(subscribe, getLocation);
