import { expect, test } from 'vitest';
import { formatValue, unitOfExpr, type Unit } from './units';

test.each<[number | null, Unit, string]>([
  [0, 'short', '0'], [1.23456, 'short', '1.23'], [1234, 'short', '1.23k'], [999.9, 'short', '1k'], [2_500_000, 'short', '2.5M'], [-1500, 'short', '-1.5k'],
  [0.05, 'short', '0.05'], [0.00002, 'short', '20µ'],
  [0, 'seconds', '0 s'], [0.412, 'seconds', '412 ms'], [4.1, 'seconds', '4.1 s'], [90, 'seconds', '1.5 min'], [0.9996, 'seconds', '1 s'], [7200, 'seconds', '2 h'],
  [200_000, 'seconds', '2.31 d'], [0.000001, 'seconds', '1 µs'],
  [0, 'bytes', '0 B'], [512, 'bytes', '512 B'], [1536, 'bytes', '1.5 KiB'], [80 * 2 ** 30, 'bytes', '80 GiB'],
  [1536, 'bytesPerSecond', '1.5 KiB/s'], [0.381, 'ratio', '38.1 %'], [1, 'ratio', '100 %'], [0.00012, 'ratio', '0.012 %'],
  [17.53, 'perSecond', '17.5/s'], [8730, 'perSecond', '8.73k/s'], [61, 'celsius', '61 °C'], [640, 'watts', '640 W'], [1500, 'watts', '1.5 kW'], [1.98e9, 'hertz', '1.98 GHz'],
  [1_795_496_415, 'none', '1795496415'], [2639, 'none', '2639'], [1e21, 'none', '1.00000e+21'],
  [null, 'short', '–'], [NaN, 'short', 'NaN'], [Infinity, 'seconds', '+Inf'], [-Infinity, 'ratio', '-Inf'],
])('formatValue(%j, %j)', (value, unit, want) => expect(formatValue(value, unit)).toBe(want));

test.each<[string, Unit]>([
  ['node_memory_MemFree_bytes', 'bytes'], ['rate(node_disk_read_bytes_total[5m])', 'bytesPerSecond'], ['deepseek_kv_cache_usage_ratio', 'ratio'],
  ['histogram_quantile(0.99, sum by (le) (rate(x_seconds_bucket[5m])))', 'seconds'], ['rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])', 'short'],
  ['count(x_bytes)', 'short'], ['up', 'short'], ['DCGM_celsius', 'celsius'], ['rate(node_cpu_seconds_total[1m])', 'short'], ['up == 1', 'short'],
])('unitOfExpr(%j)', (expr, want) => expect(unitOfExpr(expr)).toBe(want));
