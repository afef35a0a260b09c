export type Labels = Readonly<Record<string, string>>;

const NAME = '__name__';

/** The same labels give the same key, in whatever order they came. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function quote(value: string): string {
  return `"${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;
}

const isClassic = (name: string): boolean => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);

/** A series as PromQL writes it, `up{job="node"}`; names outside the classic set are quoted. */
export function formatSeries(labels: Labels): string {
  const { [NAME]: name, ...rest } = labels;
  const pairs = Object.entries(rest)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${isClassic(key) ? key : quote(key)}=${quote(value)}`);
  if (name !== undefined && !isClassic(name)) return `{${[quote(name), ...pairs].join(', ')}}`;
  if (pairs.length === 0) return name ?? '{}';
  return `${name ?? ''}{${pairs.join(', ')}}`;
}

/** The label names whose value is not the same in all series (absent counts as empty). */
export function differingLabels(all: readonly Labels[]): string[] {
  const first = all[0];
  if (!first) return [];
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  return [...names].filter((name) => all.some((labels) => (labels[name] ?? '') !== (first[name] ?? ''))).sort();
}

/** A series that nothing needs to be told apart from: its metric, or its only label's value. */
function loneName(labels: Labels): string {
  const values = Object.values(labels);
  return labels[NAME] ?? (values.length === 1 && values[0] ? values[0] : formatSeries(labels));
}

/** What the legend says of each series: only what tells them apart. */
export function legendNames(all: readonly Labels[]): string[] {
  const names = differingLabels(all);
  if (names.length === 0) return all.map(loneName);
  const [only] = names;
  if (names.length === 1 && only !== undefined) return all.map((labels) => labels[only] ?? '∅');
  const short = names.filter((name) => name !== NAME);
  return all.map((labels) => {
    const pairs = short.filter((name) => labels[name] !== undefined).map((name) => `${name}=${labels[name] ?? ''}`);
    const metric = names.includes(NAME) ? labels[NAME] : undefined;
    return [metric, ...pairs].filter((part) => part !== undefined).join(' · ') || '∅';
  });
}
