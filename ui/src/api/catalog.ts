import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { fields, list, optionalText, text } from './check';
import { ask } from './client';
import { keys } from './keys';

// What there is to ask about: metric names, label names and values, help texts.

const MINUTE = 60_000;

export function useMetricNames(enabled = true) {
  return useQuery({
    queryKey: keys.metricNames(),
    queryFn: async ({ signal }) => list((await ask('label/__name__/values', {}, signal)).data, text),
    enabled,
    staleTime: MINUTE,
  });
}

export function useLabelNames(enabled = true) {
  return useQuery({
    queryKey: keys.labelNames(),
    queryFn: async ({ signal }) => list((await ask('labels', {}, signal)).data, text),
    enabled,
    staleTime: MINUTE,
  });
}

export interface ValuesRequest {
  readonly name: string;
  readonly match?: string;
  readonly window: { readonly key: string; readonly fromMs: number; readonly toMs: number };
  readonly enabled?: boolean;
}

/** The values of a label on the series that match, within a time range. */
export function useLabelValues({ name, match, window, enabled = true }: ValuesRequest) {
  return useQuery({
    queryKey: keys.labelValues(name, match ?? '', window.key),
    queryFn: async ({ signal }) => {
      const params = { 'match[]': match, start: String(window.fromMs / 1000), end: String(window.toMs / 1000) };
      return list((await ask(`label/${encodeURIComponent(name)}/values`, params, signal)).data, text);
    },
    enabled: enabled && name !== '',
    placeholderData: keepPreviousData,
  });
}

export interface MetricMetadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

export type Metadata = ReadonlyMap<string, MetricMetadata>;

/** What is known of a metric; a series of a histogram finds what is known of its family. */
export const aboutMetric = (metadata: Metadata | undefined, name: string): MetricMetadata | undefined =>
  metadata?.get(name) ?? metadata?.get(name.replace(/_(bucket|count|sum|total)$/, ''));

export function useMetadata(enabled = true) {
  return useQuery({
    queryKey: keys.metadata(),
    queryFn: async ({ signal }) => {
      const out = new Map<string, MetricMetadata>();
      for (const [name, entries] of Object.entries(fields((await ask('metadata', {}, signal)).data))) {
        const [first] = list(entries, fields);
        if (first) out.set(name, { type: optionalText(first['type']), help: optionalText(first['help']), unit: optionalText(first['unit']) });
      }
      return out;
    },
    enabled,
    staleTime: 5 * MINUTE,
  });
}
