import type { Labels } from './labels';

interface Row {
  readonly labels: Labels;
  readonly points: ReadonlyArray<{ readonly value: unknown }>;
}

const MOST_COLUMNS = 12;

/** One column per label, the metric's name first; undefined where there are too many to be a table. */
export function tableColumns(all: readonly Labels[]): string[] | undefined {
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  if (names.size === 0 || names.size > MOST_COLUMNS) return undefined;
  const rest = [...names].filter((name) => name !== '__name__').sort();
  return names.has('__name__') ? ['__name__', ...rest] : rest;
}

const numberOf = (row: Row): number => {
  const value = row.points[row.points.length - 1]?.value;
  return typeof value === 'number' && !Number.isNaN(value) ? value : -Infinity;
};

/** Rows by a label, or by their value where `by` is empty; in the server's order without a wish. */
export function sortRows<T extends Row>(rows: readonly T[], wish: { readonly by: string; readonly down: boolean } | undefined): readonly T[] {
  if (!wish) return rows;
  const { by, down } = wish;
  const compare = (a: T, b: T) => (by === ''
    ? numberOf(a) - numberOf(b)
    : (a.labels[by] ?? '').localeCompare(b.labels[by] ?? '', undefined, { numeric: true }));
  return [...rows].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
}
