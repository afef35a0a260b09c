import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration';

test.each([
  ['15s', 15_000], ['1h30m', 5_400_000], ['250ms', 250], ['1.5h', 5_400_000], ['90', 90_000], ['0.5', 500], ['2w', 1_209_600_000], ['1y', 31_536_000_000],
  ['', undefined], ['h', undefined], ['5 m', undefined], ['5x', undefined], ['-5m', undefined], ['5m!', undefined],
])('parseDuration(%j)', (text, want) => expect(parseDuration(text)).toBe(want));

test.each([
  [0, '0s'], [15_000, '15s'], [5_400_000, '1h30m'], [250, '250ms'], [86_400_000 * 7, '7d'], [90_061_000, '1d1h1m1s'], [-60_000, '-1m'],
])('formatDuration(%j)', (ms, want) => expect(formatDuration(ms)).toBe(want));
