const LADDER_S = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/** The smallest round step with at most `maxPoints` points over the range, and never finer than `minStepMs`. */
export function chooseStep(rangeMs: number, maxPoints: number, minStepMs = 1000): number {
  // The server refuses more than 11,000 points, whatever is asked for.
  const wantedMs = Math.max(minStepMs, rangeMs / Math.min(maxPoints, 11_000));
  const step = LADDER_S.find((seconds) => seconds * 1000 >= wantedMs - 1e-6);
  return (step ?? Math.ceil(wantedMs / 604_800_000) * 604_800) * 1000;
}

/** A window for rate() that always holds two scrapes, even when one is late. */
export function rateWindow(stepMs: number, scrapeIntervalMs: number): number {
  return Math.max(stepMs + scrapeIntervalMs, 4 * scrapeIntervalMs);
}

/** Start and end on multiples of the step, so that the same instants are asked for on every refresh. */
export function alignWindow(fromMs: number, toMs: number, stepMs: number): { startMs: number; endMs: number } {
  const startMs = Math.floor(fromMs / stepMs) * stepMs;
  return { startMs, endMs: Math.max(startMs, Math.floor(toMs / stepMs) * stepMs) };
}
