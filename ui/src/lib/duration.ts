const UNITS: ReadonlyArray<readonly [string, number]> = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

/** Reads `1h30m`, `15s`, `250ms`, or plain seconds (`90`); undefined if it is none of these. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[ywdhms])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== trimmed) return undefined;
  let totalMs = 0;
  for (const [, digits, unit] of parts) {
    totalMs += Number(digits) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return totalMs;
}

/** Writes a duration as PromQL does: `1h30m`, `15s`, `250ms`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(durationMs);
  if (rest === 0) return '0s';
  let text = rest < 0 ? '-' : '';
  rest = Math.abs(rest);
  for (const [name, size] of UNITS) {
    // 7d reads better than 1w, and 365d better than 1y.
    if (name === 'y' || name === 'w') continue;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${name}`;
    rest -= count * size;
  }
  return text;
}
