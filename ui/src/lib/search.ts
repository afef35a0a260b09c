/**
 * How well `query` fits `text`: higher is better, undefined is not at all. Words must all occur; a word at the
 * start of a name part beats one inside it, and short texts beat long ones.
 */
function fit(text: string, query: string): number | undefined {
  const lower = text.toLowerCase();
  let score = 0;
  for (const word of query.toLowerCase().split(/[\s_]+/).filter(Boolean)) {
    const at = lower.indexOf(word);
    if (at < 0) return undefined;
    const before = lower[at - 1];
    score += at === 0 ? 3 : before === '_' || before === ':' || before === ' ' ? 2 : 1;
  }
  return score - text.length / 200;
}

/** The best `limit` of the items for a query, best first; all in order for an empty query. */
export function search<T>(items: readonly T[], query: string, textOf: (item: T) => string, limit: number): T[] {
  if (query.trim() === '') return items.slice(0, limit);
  return items
    .map((item) => ({ item, score: fit(textOf(item), query) }))
    .filter((found): found is { item: T; score: number } => found.score !== undefined)
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ item }) => item);
}
