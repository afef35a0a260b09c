import { clockParts, type TimeZone } from '../lib/time';
import { formatValue, type Unit } from '../lib/units';

const pad = (n: number): string => String(n).padStart(2, '0');

/**
 * Tick labels of a time axis, in the reader's zone: clock times, with the date under the first tick and wherever
 * the day changes. 24-hour numbers read the same in every language.
 */
export function timeTicks(splitsS: readonly number[], incrementS: number, tz: TimeZone): string[] {
  let lastDay = '';
  return splitsS.map((split) => {
    const p = clockParts(split * 1000, tz);
    const day = `${pad(p.month)}-${pad(p.day)}`;
    if (incrementS >= 86_400 * 28) return `${p.year}-${pad(p.month)}`;
    if (incrementS >= 86_400) return day;
    const clock = `${pad(p.hour)}:${pad(p.minute)}${incrementS < 60 ? `:${pad(p.second)}` : ''}`;
    const changed = lastDay !== '' && lastDay !== day;
    lastDay = day;
    return changed ? `${clock}\n${day}` : clock;
  });
}

/** Round increments for a value axis, binary for sizes. */
export function valueIncrements(unit: Unit): number[] {
  const out: number[] = [];
  if (unit === 'bytes' || unit === 'bytesPerSecond') {
    for (let e = 0; e <= 60; e++) out.push(2 ** e);
    return out;
  }
  if (unit === 'seconds') {
    for (let e = -9; e < 1; e++) for (const m of [1, 2, 5]) out.push(Number(`${m}e${e}`));
    return [...out, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800];
  }
  for (let e = -12; e <= 18; e++) for (const m of [1, 2, 2.5, 5]) out.push(Number(`${m}e${e}`));
  return out;
}

/** Tick labels of a value axis; as many digits as it takes to tell neighbours apart. */
export function valueTicks(splits: readonly number[], unit: Unit): string[] {
  for (const digits of [2, 3, 4, 5]) {
    const texts = splits.map((v) => formatValue(v, unit, digits));
    if (new Set(texts).size === texts.length) return texts;
  }
  return splits.map((v) => formatValue(v, unit, 6));
}

/**
 * The value range to draw: from zero for what cannot be negative, with air above the highest point. Without
 * `fromZero`, values that hardly move (a start time, a size) get an axis that shows that they do.
 */
export function valueRange(min: number | null, max: number | null, unit: Unit, fromZero: boolean): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min >= 0 && (fromZero || min < 0.8 * max || min === max)) {
    if (max === 0) return [0, unit === 'ratio' ? 0.01 : 1];
    const top = max * 1.08;
    return [0, unit === 'ratio' && max <= 1 ? Math.min(top, 1.02) : top];
  }
  const air = (max - min) * 0.06 || Math.abs(max) * 0.1 || 1;
  return [min - air, max + air];
}
