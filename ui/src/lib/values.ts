import type { Labels } from './labels';

interface VectorLike {
  readonly type: string;
  readonly series?: ReadonlyArray<{ readonly labels: Labels; readonly points: ReadonlyArray<{ readonly value: unknown }> }>;
}

/** The floats of an instant vector; native histograms have no one value and are left out. */
export function pointsOf(result: VectorLike | undefined): { labels: Labels; value: number }[] {
  return (result?.series ?? []).flatMap(({ labels, points }) => {
    const value = points[points.length - 1]?.value;
    return typeof value === 'number' ? [{ labels, value }] : [];
  });
}
