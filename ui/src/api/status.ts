import { useQuery } from '@tanstack/react-query';
import { fields, list, number, optionalNumber, optionalText, text, type Fields } from './check';
import { ask } from './client';
import { keys } from './keys';

/** Name and value, as text: what a status page shows without knowing each field. */
export type Facts = ReadonlyArray<readonly [string, string]>;

const facts = (value: unknown): Facts =>
  Object.entries(fields(value)).map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)] as const);

function useFacts(path: string) {
  return useQuery({
    queryKey: keys.status(path),
    queryFn: async ({ signal }) => facts((await ask(`status/${path}`, {}, signal)).data),
  });
}

export const useRuntimeInfo = () => useFacts('runtimeinfo');
export const useBuildInfo = () => useFacts('buildinfo');
export const useFlags = () => useFacts('flags');

export interface TsdbStatus {
  readonly head: { readonly series: number; readonly labelPairs: number; readonly chunks: number; readonly minMs: number; readonly maxMs: number };
  readonly tables: ReadonlyArray<{ readonly id: string; readonly rows: ReadonlyArray<readonly [string, number]> }>;
}

const TABLES = ['seriesCountByMetricName', 'labelValueCountByLabelName', 'seriesCountByLabelValuePair', 'memoryInBytesByLabelName'];

export function useTsdbStatus() {
  return useQuery({
    queryKey: keys.status('tsdb'),
    queryFn: async ({ signal }): Promise<TsdbStatus> => {
      const data = fields((await ask('status/tsdb', {}, signal)).data);
      const head: Fields = fields(data['headStats'] ?? {});
      const row = (value: unknown) => [text(fields(value)['name']), number(fields(value)['value'])] as const;
      return {
        head: {
          series: optionalNumber(head['numSeries']), labelPairs: optionalNumber(head['numLabelPairs']), chunks: optionalNumber(head['chunkCount']),
          minMs: optionalNumber(head['minTime']), maxMs: optionalNumber(head['maxTime']),
        },
        tables: TABLES.map((id) => ({ id, rows: list(data[id], row) })),
      };
    },
  });
}

export function useConfigYaml() {
  return useQuery({
    queryKey: keys.config(),
    queryFn: async ({ signal }) => text(fields((await ask('status/config', {}, signal)).data)['yaml']),
    staleTime: 60_000,
  });
}

export interface WalReplay {
  readonly min: number;
  readonly max: number;
  readonly current: number;
}

export async function fetchWalReplay(signal?: AbortSignal): Promise<WalReplay> {
  const { min, max, current } = fields((await ask('status/walreplay', {}, signal)).data);
  return { min: optionalNumber(min), max: optionalNumber(max), current: optionalNumber(current) };
}

/** Any small question that a server which is up answers. */
export async function fetchReady(signal?: AbortSignal): Promise<void> {
  optionalText((await ask('status/buildinfo', {}, signal)).data);
}
