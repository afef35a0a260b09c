import { ApiError } from './client';

// Responses are checked here, once, where they enter. What passes has the type that it claims.

export type Fields = Readonly<Record<string, unknown>>;

function refuse(what: string, value: unknown): never {
  throw new ApiError('bad_response', `expected ${what}, got ${JSON.stringify(value)?.slice(0, 80) ?? 'nothing'}`);
}

export function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('an object', value);
  return value as Fields;
}

/** An array of `read` values; null counts as empty, as Go writes it. */
export function list<T>(value: unknown, read: (item: unknown) => T): T[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) refuse('an array', value);
  return value.map(read);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : refuse('a string', value);
}

export function number(value: unknown): number {
  return typeof value === 'number' ? value : refuse('a number', value);
}

export const optionalText = (value: unknown): string => (typeof value === 'string' ? value : '');
export const optionalNumber = (value: unknown): number => (typeof value === 'number' ? value : 0);

export function labels(value: unknown): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, one] of Object.entries(fields(value))) out[key] = text(one);
  return out;
}

/** A sample value: Prometheus writes them as strings, with `NaN`, `+Inf` and `-Inf`. */
export function sample(value: unknown): number {
  const written = text(value);
  if (written === '+Inf' || written === 'Inf') return Infinity;
  if (written === '-Inf') return -Infinity;
  if (written === 'NaN') return NaN;
  const read = Number(written);
  return written.trim() === '' || Number.isNaN(read) ? refuse('a sample value', value) : read;
}
