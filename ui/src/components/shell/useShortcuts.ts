import { useEffect } from 'react';
import { carriedParams, parseScope, resolveRange, shiftRange, zoomRange, type TimeRange } from '../../lib/scope';
import { clock, overlay, refreshNow } from '../../state/app';
import { getLocation, navigate } from '../../state/location';
import { lettersOn } from '../../state/saved';
import { isFiltered, NAV_ENTRIES } from '../nav';
import { setAbsoluteRange } from '../scope/useScope';

function change(next: (range: TimeRange) => TimeRange): void {
  const { from, to, tz } = parseScope(new URLSearchParams(getLocation().search));
  const { fromMs, toMs } = next(resolveRange(from, to, clock.get(), tz));
  setAbsoluteRange(fromMs, toMs);
}

const KEYS: Readonly<Record<string, () => void>> = {
  t: () => overlay.set('time'),
  f: () => {
    if (isFiltered(getLocation().path)) overlay.set('filter');
  },
  '?': () => overlay.set('help'),
  r: refreshNow,
  '[': () => change((range) => shiftRange(range, -0.5)),
  ']': () => change((range) => shiftRange(range, 0.5)),
  '+': () => change((range) => zoomRange(range, 0.5)),
  '=': () => change((range) => zoomRange(range, 0.5)),
  '-': () => change((range) => zoomRange(range, 2)),
};

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Keys that work on every page, but never while somebody types. */
export function useShortcuts(): void {
  useEffect(() => {
    let afterG = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        overlay.set('palette');
        return;
      }
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target) || overlay.get() !== 'none' || !lettersOn()) return;
      if (Date.now() - afterG < 1200) {
        afterG = 0;
        const entry = NAV_ENTRIES.find(({ letter }) => letter === event.key);
        if (entry) navigate(entry.path, carriedParams(new URLSearchParams(getLocation().search)).toString());
        return;
      }
      if (event.key === 'g') {
        afterG = Date.now();
        return;
      }
      const action = KEYS[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}
