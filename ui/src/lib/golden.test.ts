import { parser } from '@prometheus-io/lezer-promql';
import { expect, test } from 'vitest';
import { accelerators, chooseSource, goldenSignals, hostFilters, hostVitals, lastSeenExpr, modelTableExpr, presenceExpr, trafficExpr, unionExpr, type Source } from './golden';

const filters = [{ name: 'model', op: '=', value: 'a"b' }, { name: 'cluster', op: '=~', value: 'x|y' }] as const;

function problems(expr: string): string[] {
  const out: string[] = [];
  parser.parse(expr).iterate({ enter: (node) => { if (node.type.isError) out.push(`${expr} at ${node.from}`); } });
  return out;
}

test.each<Source>(['gateway', 'engine'])('every expression of the Overview parses (%s)', (source) => {
  const s = goldenSignals({ source, filters, windowMs: 60_000 });
  const { load, ...host } = hostVitals('127.0.0.1:9100', 75_000);
  const all = [
    s.requests, s.errors, s.running, s.waiting, s.kvCache, s.tokensIn, s.tokensOut, s.prefixHits, modelTableExpr(s),
    s.endToEnd(0.99), s.endToEnd(0.5, 'model'), s.firstToken(0.99), s.perToken(0.95),
    presenceExpr(filters), trafficExpr(filters, 60_000), lastSeenExpr(filters), unionExpr(accelerators(filters)), ...load, ...Object.values(host),
  ];
  expect(all.flatMap(problems)).toEqual([]);
});

test('the measuring point is in every expression that has two', () => {
  const s = goldenSignals({ source: 'gateway', filters: [], windowMs: 60_000 });
  for (const expr of [s.requests, s.errors, s.running, s.tokensIn, s.tokensOut, s.firstToken(0.99)]) expect(expr).toContain('source="gateway"');
  // Only the engine sees its own queue and cache.
  for (const expr of [s.waiting, s.kvCache, s.prefixHits]) expect(expr).toContain('source="engine"');
  expect(s.firstToken(0.99, 'model')).toBe(
    'histogram_quantile(0.99, sum by (le, model) (rate(deepseek_time_to_first_token_seconds_bucket{source="gateway"}[1m])))');
});

test.each<[string[], string[], Source | undefined, Source | undefined]>([
  [['gateway', 'engine'], ['gateway', 'engine'], undefined, 'gateway'],
  [['gateway', 'engine'], ['engine'], undefined, 'engine'],
  [['gateway', 'engine'], [], undefined, 'gateway'],
  [['engine'], [], undefined, 'engine'],
  [['gateway', 'engine'], ['gateway'], 'engine', 'engine'],
  [['engine'], ['engine'], 'gateway', 'engine'],
  [[], [], undefined, undefined],
])('chooseSource(present %j, busy %j, wanted %j)', (present, busy, wanted, want) =>
  expect(chooseSource({ present: new Set(present), busy: new Set(busy) }, wanted)).toBe(want));

test('a host is not asked for a model', () => {
  expect(hostFilters([...filters]).map((f) => f.name)).toEqual(['cluster']);
});
