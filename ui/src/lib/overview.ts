import type { Labels } from './labels';
import { alignColumn, timeGrid, type Column, type RangeSeries } from './matrix';

// From the numbers of each model to an order, a state, and a sentence.

export const SIGNALS = [
  'requests', 'ttft50', 'ttft99', 'e2e99', 'tpot99', 'errors', 'tokens', 'running', 'waiting', 'kv',
] as const;

export type Signal = (typeof SIGNALS)[number];

export interface Cell {
  readonly value: number | null;
  readonly history: Column;
}

export interface ModelRow {
  readonly model: string;
  readonly cells: Readonly<Record<Signal, Cell>>;
  readonly tone: Tone;
}

export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

const EMPTY: Cell = { value: null, history: [] };

/** From when on a value is worth a colour. */
const LIMITS = {
  errors: { warn: 0.01, bad: 0.05 },
  kv: { warn: 0.9, bad: 0.98 },
} as const;

export function toneOf(signal: Signal, value: number | null): Tone {
  if (value === null || !(signal in LIMITS)) return 'ok';
  const limit = LIMITS[signal as keyof typeof LIMITS];
  if (value >= limit.bad) return 'bad';
  return value >= limit.warn ? 'warn' : 'ok';
}

const RANK: Readonly<Record<Tone, number>> = { bad: 3, warn: 2, ok: 1, idle: 0 };

/** Worst first: state, then error ratio, then KV-cache use, then the wait for the first token. */
function compareRows(a: ModelRow, b: ModelRow): number {
  const by = (signal: Signal) => (b.cells[signal].value ?? 0) - (a.cells[signal].value ?? 0);
  const errors = Math.abs(by('errors')) > 0.002 ? by('errors') : 0;
  return RANK[b.tone] - RANK[a.tone] || errors || by('ttft99') || by('kv') || a.model.localeCompare(b.model);
}

/** A value with its `signal` and `model` labels, as tableExpr makes them. */
export interface SignalValue {
  readonly labels: Labels;
  readonly value: number;
}

export interface SignalHistory {
  readonly series: readonly RangeSeries[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

const emptyCells = () => Object.fromEntries(SIGNALS.map((s) => [s, EMPTY])) as Record<Signal, Cell>;

function rowTone(cells: Readonly<Record<Signal, Cell>>): Tone {
  const tones = SIGNALS.map((s) => toneOf(s, cells[s].value));
  if (tones.includes('bad')) return 'bad';
  if (tones.includes('warn')) return 'warn';
  return (cells.requests.value ?? 0) === 0 && (cells.running.value ?? 0) === 0 ? 'idle' : 'ok';
}

/** One row per model that any signal knows, worst first. */
export function modelRows(values: readonly SignalValue[], history: SignalHistory | undefined): ModelRow[] {
  const rows = new Map<string, Record<Signal, Cell>>();
  const at = (labels: Labels, change: (cell: Cell) => Cell) => {
    const model = labels['model'];
    const signal = SIGNALS.find((s) => s === labels['signal']);
    if (model === undefined || signal === undefined) return;
    const cells = rows.get(model) ?? emptyCells();
    cells[signal] = change(cells[signal]);
    rows.set(model, cells);
  };
  for (const { labels, value } of values) {
    if (Number.isFinite(value)) at(labels, (cell) => ({ ...cell, value }));
  }
  if (history) {
    const length = timeGrid(history.startMs, history.endMs, history.stepMs).length;
    for (const one of history.series) {
      at(one.labels, (cell) => ({ ...cell, history: alignColumn(one, history.startMs, history.stepMs, length) }));
    }
  }
  return [...rows].map(([model, cells]): ModelRow => ({ model, cells, tone: rowTone(cells) })).sort(compareRows);
}

/** A clause of the opening sentence: a key of the language files and what it needs. */
export type Clause =
  | { readonly kind: 'serving'; readonly count: number }
  | { readonly kind: 'idle'; readonly count: number }
  | { readonly kind: 'errorsBelow'; readonly limit: number }
  | { readonly kind: 'errorsOf'; readonly model: string; readonly ratio: number }
  | { readonly kind: 'kvFull'; readonly model: string; readonly ratio: number }
  | { readonly kind: 'waiting'; readonly model: string; readonly count: number }
  | { readonly kind: 'slowest'; readonly model: string; readonly seconds: number };

export interface Summary {
  readonly tone: Tone;
  readonly clauses: readonly Clause[];
}

function worst(rows: readonly ModelRow[], signal: Signal): { model: string; value: number } | undefined {
  let found: { model: string; value: number } | undefined;
  for (const { model, cells } of rows) {
    const value = cells[signal].value;
    if (value !== null && value > (found?.value ?? -Infinity)) found = { model, value };
  }
  return found;
}

/** The state of serving in words: who serves, what is wrong, who is slowest. */
export function summarize(rows: readonly ModelRow[]): Summary {
  const serving = rows.filter((row) => row.tone !== 'idle');
  if (serving.length === 0) return { tone: 'idle', clauses: [{ kind: 'idle', count: rows.length }] };
  const clauses: Clause[] = [{ kind: 'serving', count: serving.length }];
  const errors = worst(serving, 'errors');
  if (errors && errors.value >= LIMITS.errors.warn) clauses.push({ kind: 'errorsOf', model: errors.model, ratio: errors.value });
  else if (errors) clauses.push({ kind: 'errorsBelow', limit: LIMITS.errors.warn });
  const kv = worst(serving, 'kv');
  if (kv && kv.value >= LIMITS.kv.warn) clauses.push({ kind: 'kvFull', model: kv.model, ratio: kv.value });
  const waiting = worst(serving, 'waiting');
  if (waiting && waiting.value >= 5) clauses.push({ kind: 'waiting', model: waiting.model, count: waiting.value });
  const slowest = worst(serving, 'ttft99');
  if (slowest) clauses.push({ kind: 'slowest', model: slowest.model, seconds: slowest.value });
  const tone = serving.some((r) => r.tone === 'bad') ? 'bad' : serving.some((r) => r.tone === 'warn') ? 'warn' : 'ok';
  return { tone, clauses };
}
