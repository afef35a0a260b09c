import { formatDuration } from './duration';
import type { Signal } from './overview';
import { selector, type Matcher } from './promql';

// The golden signals as PromQL. Names and labels: docs/vocabulary.md.

/** Where a request was measured: in the proxy, or inside the engine. */
export type Source = 'gateway' | 'engine';

export const PREFIX = 'deepseek_';
export const metric = (name: string): string => PREFIX + name;

/** Labels that a latency or request series can carry; filters on other labels do not reach it. */
export interface GoldenContext {
  readonly source: Source;
  readonly filters: readonly Matcher[];
  readonly windowMs: number;
}

const ERRORS = 'server_error|overloaded|timeout';

const sourceIs = (source: Source): Matcher => ({ name: 'source', op: '=', value: source });

/** Builds every expression of the Overview for one measuring point, scope and rate window. */
export function goldenSignals({ source, filters, windowMs }: GoldenContext) {
  const window = `[${formatDuration(windowMs)}]`;
  const pick = (name: string, ...more: Matcher[]) => selector(metric(name), [sourceIs(source), ...filters, ...more]);
  const engine = (name: string, ...more: Matcher[]) => selector(metric(name), [sourceIs('engine'), ...filters, ...more]);
  const rate = (what: string) => `rate(${what}${window})`;
  const byModel = (what: string) => `sum by (model) (${what})`;
  // The gateway tells outcomes apart; an engine's histogram has no such label, which "|" lets through.
  const succeeded: Matcher = { name: 'outcome', op: '=~', value: 'success|' };
  const failed: Matcher = { name: 'outcome', op: '=~', value: ERRORS };
  const quantile = (q: number, name: string, by: readonly string[], ...more: Matcher[]) =>
    `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${rate(pick(`${name}_bucket`, ...more))}))`;
  const requests = byModel(rate(pick('requests_total')));

  return {
    requests,
    errors: `(${byModel(rate(pick('requests_total', failed)))} or 0 * ${requests}) / ${requests}`,
    endToEnd: (q: number, ...by: string[]) => quantile(q, 'inference_latency_seconds', by, succeeded),
    firstToken: (q: number, ...by: string[]) => quantile(q, 'time_to_first_token_seconds', by),
    perToken: (q: number, ...by: string[]) => quantile(q, 'time_per_output_token_seconds', by),
    running: byModel(pick('requests_running')),
    waiting: byModel(engine('requests_waiting')),
    kvCache: `max by (model) (${engine('kv_cache_usage_ratio')})`,
    tokensIn: `sum(${rate(pick('prompt_tokens_total'))})`,
    tokensOut: `sum(${rate(pick('generation_tokens_total'))})`,
    tokensOutByModel: byModel(rate(pick('generation_tokens_total'))),
    prefixHits: `${byModel(rate(engine('prefix_cache_hit_tokens_total')))} / ${byModel(rate(engine('prefix_cache_query_tokens_total')))}`,
  };
}

export type GoldenSignals = ReturnType<typeof goldenSignals>;

/** Several expressions as one, each result marked by a label `signal`: one request in place of ten. */
export const unionExpr = (parts: Readonly<Record<string, string>>): string =>
  Object.entries(parts).map(([signal, expr]) => `label_replace(${expr}, "signal", "${signal}", "", "")`).join('\nor ');

/** Every column of the table of models. */
export const modelTableExpr = (s: GoldenSignals): string => {
  const columns: Readonly<Record<Signal, string>> = {
    requests: s.requests, errors: s.errors, running: s.running, waiting: s.waiting, kv: s.kvCache, tokens: s.tokensOutByModel,
    ttft50: s.firstToken(0.5, 'model'), ttft99: s.firstToken(0.99, 'model'), e2e99: s.endToEnd(0.99, 'model'), tpot99: s.perToken(0.99, 'model'),
  };
  return unionExpr(columns);
};

const LIVE = ['requests_total', 'requests_running', 'requests_waiting', 'kv_cache_usage_ratio'].map(metric).join('|');

/** Which measuring points have data, and whether anything of it is simulated. */
export const presenceExpr = (filters: readonly Matcher[]): string =>
  `count by (source) (${selector('', [{ name: '__name__', op: '=~', value: LIVE }, ...filters])})`;

/** How much traffic each measuring point saw. */
export const trafficExpr = (filters: readonly Matcher[], windowMs: number): string =>
  `sum by (source) (rate(${selector(metric('requests_total'), filters)}[${formatDuration(windowMs)}]))`;

/** Hourly looks at the last week, to say when something was last seen. */
export const lastSeenExpr = (filters: readonly Matcher[]): string =>
  `count(last_over_time(${selector('', [{ name: '__name__', op: '=~', value: LIVE }, ...filters])}[1h]))`;

export interface SourceEvidence {
  readonly present: ReadonlySet<string>;
  readonly busy: ReadonlySet<string>;
}

/** The gateway if it saw traffic, else the engine, else whichever exists; undefined if neither does. */
export function chooseSource(evidence: SourceEvidence, wanted: Source | undefined): Source | undefined {
  if (wanted && evidence.present.has(wanted)) return wanted;
  const order: readonly Source[] = ['gateway', 'engine'];
  return order.find((s) => evidence.busy.has(s)) ?? order.find((s) => evidence.present.has(s));
}

const HOST_LABELS = new Set(['instance', 'cluster', 'node', 'job']);

/** Of the scope's filters, those that a host's series can carry. */
export const hostFilters = (filters: readonly Matcher[]): Matcher[] => filters.filter((m) => HOST_LABELS.has(m.name));

export const accelerators = (filters: readonly Matcher[]) => {
  const own = filters.filter((m) => HOST_LABELS.has(m.name) || m.name === 'gpu' || m.name === 'uuid' || m.name === 'vendor');
  const pick = (name: string) => selector(metric(`accelerator_${name}`), own);
  return {
    utilization: pick('utilization_ratio'),
    memoryUsed: pick('memory_used_bytes'),
    memoryTotal: pick('memory_total_bytes'),
    temperature: `max without (sensor) (${pick('temperature_celsius')})`,
    power: pick('power_watts'),
  };
};

/** One machine's vital signs, from node_exporter's names. */
export function hostVitals(instance: string, windowMs: number) {
  const window = `[${formatDuration(windowMs)}]`;
  const pick = (name: string, ...more: Matcher[]) => selector(`node_${name}`, [{ name: 'instance', op: '=', value: instance }, ...more]);
  const rate = (what: string) => `rate(${what}${window})`;
  const realDisks: Matcher = { name: 'device', op: '!~', value: '(loop|ram|fd|dm-|md|sr|zram)\\d*.*' };
  const realLinks: Matcher = { name: 'device', op: '!~', value: '(lo|veth|docker|br-|virbr|cni|flannel|cali|tap|tun).*' };
  const realFiles: Matcher = { name: 'fstype', op: '!~', value: 'tmpfs|ramfs|overlay|squashfs|iso9660|fuse.*|nsfs|autofs|devtmpfs|efivarfs' };
  const cpu = `sum by (mode) (${rate(pick('cpu_seconds_total', { name: 'mode', op: '!=', value: 'idle' }))})`;
  const cores = `scalar(count(count by (cpu) (${pick('cpu_seconds_total')})))`;
  return {
    cpu: `${cpu} / ${cores}`,
    load: [pick('load1'), pick('load5'), pick('load15')] as const,
    cores: `count(count by (cpu) (${pick('cpu_seconds_total')}))`,
    memoryUsed: `${pick('memory_MemTotal_bytes')} - ${pick('memory_MemAvailable_bytes')}`,
    memoryTotal: pick('memory_MemTotal_bytes'),
    diskRead: `sum(${rate(pick('disk_read_bytes_total', realDisks))})`,
    diskWritten: `sum(${rate(pick('disk_written_bytes_total', realDisks))})`,
    received: `sum(${rate(pick('network_receive_bytes_total', realLinks))})`,
    sent: `sum(${rate(pick('network_transmit_bytes_total', realLinks))})`,
    pressureCpu: rate(pick('pressure_cpu_waiting_seconds_total')),
    pressureMemory: rate(pick('pressure_memory_waiting_seconds_total')),
    pressureIo: rate(pick('pressure_io_waiting_seconds_total')),
    fullness: `max by (mountpoint) (1 - ${pick('filesystem_avail_bytes', realFiles)} / ${pick('filesystem_size_bytes', realFiles)})`,
    size: `max by (mountpoint) (${pick('filesystem_size_bytes', realFiles)})`,
    boot: pick('boot_time_seconds'),
  };
}
