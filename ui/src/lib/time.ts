import { parseDuration } from './duration';

/** `browser`, `utc`, or an IANA name such as `Asia/Shanghai`. */
export type TimeZone = string;

export function zoneName(tz: TimeZone): string {
  if (tz === 'utc') return 'UTC';
  return tz === 'browser' ? Intl.DateTimeFormat().resolvedOptions().timeZone : tz;
}

export function isTimeZone(tz: string): boolean {
  if (tz === 'browser' || tz === 'utc') return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: tz });
    return true;
  } catch {
    return false;
  }
}

export interface ClockParts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function partsFormatter(tz: TimeZone): Intl.DateTimeFormat {
  const zone = zoneName(tz);
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit',
    });
    formatters.set(zone, formatter);
  }
  return formatter;
}

/** The wall clock of `tz` at an instant. */
export function clockParts(timeMs: number, tz: TimeZone): ClockParts {
  const out: Record<string, number> = {};
  for (const { type, value } of partsFormatter(tz).formatToParts(timeMs)) out[type] = Number(value);
  return {
    year: out['year'] ?? 0, month: out['month'] ?? 0, day: out['day'] ?? 0,
    hour: out['hour'] ?? 0, minute: out['minute'] ?? 0, second: out['second'] ?? 0,
  };
}

/** How far `tz` is ahead of UTC at an instant. */
function zoneOffsetMs(timeMs: number, tz: TimeZone): number {
  const p = clockParts(timeMs, tz);
  const asUtc = Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second);
  return asUtc - Math.floor(timeMs / 1000) * 1000;
}

/** `UTC+08:00`. */
export function formatOffset(timeMs: number, tz: TimeZone): string {
  const minutes = Math.round(zoneOffsetMs(timeMs, tz) / 60_000);
  const sign = minutes < 0 ? '-' : '+';
  const abs = Math.abs(minutes);
  return `UTC${sign}${pad(Math.floor(abs / 60))}:${pad(abs % 60)}`;
}

const pad = (n: number): string => String(n).padStart(2, '0');

export const formatDate = (timeMs: number, tz: TimeZone): string => {
  const p = clockParts(timeMs, tz);
  return `${p.year}-${pad(p.month)}-${pad(p.day)}`;
};

export const formatClock = (timeMs: number, tz: TimeZone): string => {
  const p = clockParts(timeMs, tz);
  return `${pad(p.hour)}:${pad(p.minute)}:${pad(p.second)}`;
};

/** `2026-03-01 14:02:10`: sorts, reads the same in both languages, and can be typed back. */
export const formatDateTime = (timeMs: number, tz: TimeZone): string =>
  `${formatDate(timeMs, tz)} ${formatClock(timeMs, tz)}`;

/** The instant at which the wall clock of `tz` shows these parts. */
export function instantOf(p: ClockParts, tz: TimeZone): number {
  const asUtc = Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second);
  // Two rounds settle the offset on both sides of a daylight-saving change.
  const first = asUtc - zoneOffsetMs(asUtc, tz);
  return asUtc - zoneOffsetMs(first, tz);
}

const RELATIVE = /^now(?:([+-])([0-9a-z.]+?))?(?:\/([smhdw]))?$/;
const ABSOLUTE = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?$/;

function floorTo(timeMs: number, unit: string, tz: TimeZone): number {
  const p = clockParts(timeMs, tz);
  if (unit === 's') return Math.floor(timeMs / 1000) * 1000;
  const floored = { ...p, second: 0 };
  if (unit !== 'm') floored.minute = 0;
  if (unit === 'd' || unit === 'w') floored.hour = 0;
  const start = instantOf(floored, tz);
  if (unit !== 'w') return start;
  const weekday = new Date(Date.UTC(p.year, p.month - 1, p.day)).getUTCDay();
  return instantOf({ ...floored, day: floored.day - ((weekday + 6) % 7) }, tz);
}

/**
 * Reads a point in time as people and links write it: `now`, `now-6h`, `now/d`, `2026-03-01 14:02`, RFC 3339,
 * or an epoch in seconds or milliseconds. Undefined if it is none of these.
 */
export function resolveTime(text: string, nowMs: number, tz: TimeZone): number | undefined {
  const trimmed = text.trim();
  const relative = RELATIVE.exec(trimmed);
  if (relative) {
    const [, sign, amount, unit] = relative;
    const shift = amount === undefined ? 0 : parseDuration(amount);
    if (shift === undefined) return undefined;
    const shifted = nowMs + (sign === '-' ? -shift : shift);
    return unit ? floorTo(shifted, unit, tz) : shifted;
  }
  if (/^\d{12,}$/.test(trimmed)) return Number(trimmed);
  if (/^\d{9,11}(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const absolute = ABSOLUTE.exec(trimmed);
  if (absolute) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = absolute.slice(1).map((s) => Number(s ?? 0));
    return instantOf({ year, month, day, hour, minute, second }, tz);
  }
  const rfc = /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(trimmed) ? Date.parse(trimmed) : NaN;
  return Number.isNaN(rfc) ? undefined : rfc;
}

export const isRelative = (text: string): boolean => text.trim().startsWith('now');
