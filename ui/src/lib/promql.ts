import { quote } from './labels';

export type MatchOp = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** `metric{a="b", c=~"d"}`. */
export function selector(metric: string, matchers: readonly Matcher[]): string {
  if (matchers.length === 0) return metric;
  return `${metric}{${matchers.map((m) => `${m.name}${m.op}${quote(m.value)}`).join(', ')}}`;
}

const FILTER = /^([a-zA-Z_][a-zA-Z0-9_]*)(=~|!=|!~|=)([\s\S]*)$/;

/** Reads a filter chip as the URL carries it: `model=deepseek-v3`, `cluster=~a|b`. */
export function parseFilter(text: string): Matcher | undefined {
  const found = FILTER.exec(text);
  if (!found) return undefined;
  const [, name = '', op = '=', value = ''] = found;
  return { name, op: op as MatchOp, value };
}

export const formatFilter = (m: Matcher): string => `${m.name}${m.op}${m.value}`;

/** Sets `name="value"`, in place of any other filter on that name. */
export function withFilter(filters: readonly Matcher[], name: string, value: string): Matcher[] {
  const next: Matcher = { name, op: '=', value };
  const at = filters.findIndex((m) => m.name === name);
  if (at < 0) return [...filters, next];
  return [...filters.slice(0, at), next, ...filters.slice(at + 1).filter((m) => m.name !== name)];
}

export interface ErrorPosition {
  /** Both count from 1, as the server writes them. */
  readonly line: number;
  readonly column: number;
}

/** Finds `1:5: parse error: …` in what the server says about an expression. */
export function errorPosition(message: string): ErrorPosition | undefined {
  const found = /(?:^|[\s"])(\d+):(\d+): (?:parse error|.*)/.exec(message);
  return found ? { line: Number(found[1]), column: Number(found[2]) } : undefined;
}

/** The offset of a position in a text, clamped to it. */
export function offsetOf(text: string, position: ErrorPosition): number {
  const lines = text.split('\n');
  let offset = 0;
  for (let i = 0; i < Math.min(position.line - 1, lines.length); i++) offset += (lines[i]?.length ?? 0) + 1;
  return Math.max(0, Math.min(text.length, offset + position.column - 1));
}

const shellQuote = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

/** A curl command that asks the same question. */
export function asCurl(url: string, params: Readonly<Record<string, string>>): string {
  const data = Object.entries(params).map(([key, value]) => ` --data-urlencode ${shellQuote(`${key}=${value}`)}`);
  return `curl -fsS -G ${shellQuote(url)}${data.join('')}`;
}
