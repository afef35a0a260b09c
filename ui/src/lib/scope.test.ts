import { expect, test } from 'vitest';
import { applyScope, carriedParams, DEFAULT_SCOPE, parseScope, resolveRange, shiftRange, zoomRange } from './scope';

const params = (text: string) => new URLSearchParams(text);

test('without parameters everything is at its default', () => {
  expect(parseScope(params(''))).toEqual(DEFAULT_SCOPE);
});

test('a whole scope is read', () => {
  expect(parseScope(params('from=now-6h&to=now-1h&refresh=off&tz=Asia/Shanghai&f=model%3Dv3&f=cluster%3D~a%7Cb'))).toEqual({
    from: 'now-6h', to: 'now-1h', refreshMs: 0, tz: 'Asia/Shanghai',
    filters: [{ name: 'model', op: '=', value: 'v3' }, { name: 'cluster', op: '=~', value: 'a|b' }],
  });
});

test.each(['from=nonsense&to=now', 'refresh=often', 'tz=Mars/Olympus', 'f=nonsense'])('nonsense falls back to the default: %s', (text) => {
  expect(parseScope(params(text))).toEqual(DEFAULT_SCOPE);
});

test('changes are written, defaults are not, and strangers stay', () => {
  expect(applyScope(params('tab=flags'), { from: 'now-6h', to: 'now' }).toString()).toBe('tab=flags&from=now-6h&to=now');
  expect(applyScope(params('from=now-6h&to=now'), { from: 'now-1h', to: 'now' }).toString()).toBe('');
  expect(applyScope(params(''), { refresh: 'off', tz: 'utc' }).toString()).toBe('refresh=off&tz=utc');
  expect(applyScope(params('refresh=off&f=a%3Db'), { refresh: '15s', filters: [] }).toString()).toBe('');
});

test('what is written is read again', () => {
  const change = { from: 'now-3h', to: 'now-1h', refresh: '30s', tz: 'utc', filters: [{ name: 'model', op: '=', value: 'a&b=c' }] } as const;
  expect(parseScope(applyScope(params(''), change))).toEqual({ from: 'now-3h', to: 'now-1h', refreshMs: 30_000, tz: 'utc', filters: change.filters });
});

test('the next page gets the scope and nothing else', () => {
  expect(carriedParams(params('from=a&to=b&f=x%3Dy&f=z%3Dw&g0.expr=up&tab=flags&lang=zh-CN')).toString()).toBe('from=a&to=b&f=x%3Dy&f=z%3Dw&lang=zh-CN');
});

test('ranges resolve, also when they are upside down', () => {
  expect(resolveRange('now-1h', 'now', 10_000_000, 'utc')).toEqual({ fromMs: 6_400_000, toMs: 10_000_000 });
  expect(resolveRange('now', 'now-1h', 10_000_000, 'utc')).toEqual({ fromMs: 6_340_000, toMs: 6_400_000 });
});

test('ranges move and zoom about their middle', () => {
  expect(shiftRange({ fromMs: 0, toMs: 100 }, -0.5)).toEqual({ fromMs: -50, toMs: 50 });
  expect(zoomRange({ fromMs: 0, toMs: 10_000 }, 2)).toEqual({ fromMs: -5000, toMs: 15_000 });
  expect(zoomRange({ fromMs: 0, toMs: 1000 }, 0.5)).toEqual({ fromMs: 0, toMs: 1000 });
});
