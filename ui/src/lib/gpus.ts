import { labelsKey, type Labels } from './labels';
import { alignColumn, timeGrid, type Column, type RangeSeries } from './matrix';
import type { Tone } from './overview';

// Tiles for accelerators, from one query whose results carry a label `signal`.

export interface Gpu {
  readonly key: string;
  readonly host: string;
  readonly name: string;
  readonly uuid: string;
  readonly utilization: number | null;
  readonly memoryUsed: number | null;
  readonly memoryTotal: number | null;
  readonly temperature: number | null;
  readonly power: number | null;
}

const SIGNALS = ['utilization', 'memoryUsed', 'memoryTotal', 'temperature', 'power'] as const;

const identity = ({ node, instance, gpu, uuid }: Labels): Labels => ({
  host: node ?? instance ?? '', gpu: gpu ?? '', uuid: uuid ?? '',
});

/** Where an accelerator is and which it is, as one text. */
const gpuKey = (labels: Labels): string => labelsKey(identity(labels));

/** The history of each accelerator; series of one accelerator that follow each other become one. */
export function gpuHistories(series: readonly RangeSeries[], startMs: number, endMs: number, stepMs: number): Map<string, Column> {
  const { length } = timeGrid(startMs, endMs, stepMs);
  const out = new Map<string, Column>();
  for (const one of series) {
    const key = gpuKey(one.labels);
    const column = alignColumn(one, startMs, stepMs, length);
    const before = out.get(key);
    out.set(key, before ? column.map((v, i) => v ?? before[i] ?? null) : column);
  }
  return out;
}

export function gpuTiles(values: ReadonlyArray<{ readonly labels: Labels; readonly value: number }>): Gpu[] {
  const tiles = new Map<string, Record<string, number | null> & { id: Labels }>();
  for (const { labels, value } of values) {
    const signal = SIGNALS.find((s) => s === labels['signal']);
    if (!signal || !Number.isFinite(value)) continue;
    const key = gpuKey(labels);
    const tile = tiles.get(key) ?? { id: identity(labels) } as Record<string, number | null> & { id: Labels };
    tile[signal] = value;
    tiles.set(key, tile);
  }
  const out = [...tiles].map(([key, tile]): Gpu => ({
    key,
    host: tile.id['host'] ?? '', name: tile.id['gpu'] ?? '', uuid: tile.id['uuid'] ?? '',
    utilization: tile['utilization'] ?? null, memoryUsed: tile['memoryUsed'] ?? null, memoryTotal: tile['memoryTotal'] ?? null,
    temperature: tile['temperature'] ?? null, power: tile['power'] ?? null,
  }));
  return out.sort((a, b) => a.host.localeCompare(b.host) || a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/** Hot from 80 °C, too hot from 85 °C, where boards begin to throttle. */
export const temperatureTone = (celsius: number | null): Tone =>
  celsius === null ? 'idle' : celsius >= 85 ? 'bad' : celsius >= 80 ? 'warn' : 'ok';

export const memoryShare = ({ memoryUsed, memoryTotal }: Gpu): number | null =>
  memoryUsed === null || memoryTotal === null || memoryTotal <= 0 ? null : memoryUsed / memoryTotal;
