import { createStore } from './store';

/** The page's "now". It moves at each refresh, so that all charts of a page end at the same instant. */
export const clock = createStore(Date.now());

/** Counts the times that somebody asked for fresh data by hand. */
export const refreshes = createStore(0);

/** Now, and everything: also what a tick leaves alone because its time range does not move. */
export function refreshNow(): void {
  clock.set(Date.now());
  refreshes.set(refreshes.get() + 1);
}

export type ServerState = 'ok' | 'replaying' | 'offline';

/** What the last answers said of the server itself. */
export const serverState = createStore<ServerState>('ok');

export type Overlay = 'none' | 'palette' | 'help' | 'time' | 'filter';

/** Which of the shell's overlays is open. */
export const overlay = createStore<Overlay>('none');
