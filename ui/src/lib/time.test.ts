import { expect, test } from 'vitest';
import { clockParts, formatClock, formatDateTime, formatOffset, instantOf, isTimeZone, resolveTime } from './time';

const NOW = Date.UTC(2026, 2, 4, 5, 6, 7); // a Wednesday

test.each([
  ['now', 'utc', NOW],
  ['now-1h', 'utc', NOW - 3_600_000],
  ['now+90s', 'utc', NOW + 90_000],
  ['now/d', 'utc', Date.UTC(2026, 2, 4)],
  ['now/d', 'Asia/Shanghai', Date.UTC(2026, 2, 3, 16)],
  ['now-1d/d', 'utc', Date.UTC(2026, 2, 3)],
  ['now/h', 'utc', Date.UTC(2026, 2, 4, 5)],
  ['now/w', 'utc', Date.UTC(2026, 2, 2)],
  ['2026-03-01', 'utc', Date.UTC(2026, 2, 1)],
  ['2026-03-01 14:02', 'Asia/Shanghai', Date.UTC(2026, 2, 1, 6, 2)],
  ['2026-03-01T14:02:10', 'utc', Date.UTC(2026, 2, 1, 14, 2, 10)],
  ['2026-03-01T14:02:10Z', 'Asia/Tokyo', Date.UTC(2026, 2, 1, 14, 2, 10)],
  ['2026-03-01T14:02:10+08:00', 'utc', Date.UTC(2026, 2, 1, 6, 2, 10)],
  ['1767225600', 'utc', 1_767_225_600_000],
  ['1767225600000', 'utc', 1_767_225_600_000],
  ['yesterday', 'utc', undefined],
  ['now-', 'utc', undefined],
  ['now-5q', 'utc', undefined],
  ['', 'utc', undefined],
])('resolveTime(%j, %j)', (text, tz, want) => expect(resolveTime(text, NOW, tz)).toBe(want));

test('a wall clock and its instant agree across a change to daylight saving', () => {
  for (let hour = 0; hour < 72; hour++) {
    const at = Date.UTC(2026, 2, 28) + hour * 3_600_000;
    const back = instantOf(clockParts(at, 'Europe/Berlin'), 'Europe/Berlin');
    expect(clockParts(back, 'Europe/Berlin')).toEqual(clockParts(at, 'Europe/Berlin'));
  }
});

test.each([['utc', 'UTC+00:00'], ['Asia/Shanghai', 'UTC+08:00'], ['America/New_York', 'UTC-05:00'], ['Asia/Kolkata', 'UTC+05:30']])(
  'formatOffset in %s', (tz, want) => expect(formatOffset(NOW, tz)).toBe(want));

test('dates and clocks are written in the zone', () => {
  expect(formatDateTime(NOW, 'Asia/Shanghai')).toBe('2026-03-04 13:06:07');
  expect(formatClock(Date.UTC(2026, 0, 1, 0, 0, 0), 'utc')).toBe('00:00:00');
});

test.each([['browser', true], ['utc', true], ['Asia/Shanghai', true], ['Mars/Olympus', false], ['', false]])(
  'isTimeZone(%j)', (tz, want) => expect(isTimeZone(tz)).toBe(want));
