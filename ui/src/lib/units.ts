/** How a value is read. Times are seconds, sizes bytes, ratios 0 to 1. */
export type Unit =
  | 'none' | 'short' | 'seconds' | 'bytes' | 'bytesPerSecond' | 'ratio' | 'perSecond' | 'celsius' | 'watts' | 'hertz';

type Scale = readonly (readonly [number, string])[];

const SI: Scale = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, ''], [1e-3, 'm'], [1e-6, 'µ']];
const BINARY: Scale = [[2 ** 50, 'PiB'], [2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B']];
const SECONDS: Scale = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [1e-9, 'ns']];

/** At most `digits` significant figures, but never an exponent for what people count by hand. */
function significant(value: number, digits = 3): string {
  const abs = Math.abs(value);
  if (abs === 0) return '0';
  if (abs >= 1e15 || abs < 1e-6) return value.toExponential(Math.max(0, digits - 1));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(abs)));
  const text = value.toFixed(Math.min(decimals, 12));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function scaled(value: number, scale: Scale, digits: number, glue: string): string {
  const abs = Math.abs(value);
  const last = scale[scale.length - 1];
  // 999.6 ms is shown as 1 s, not as 1000 ms: half a digit of slack.
  const slack = 1 - 0.5 * 10 ** -digits;
  const [size, name] = scale.find(([step]) => abs >= step * slack) ?? last ?? [1, ''];
  const text = significant(value / size, digits);
  return name === '' ? text : `${text}${glue}${name}`;
}

/** A value as people read it: `1.23 s`, `412 ms`, `1.5k`, `38.1 %`; `–` for nothing. */
export function formatValue(value: number | null | undefined, unit: Unit, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0 && unit === 'seconds') return '0 s';
  switch (unit) {
    case 'none': return significant(value, 6);
    case 'short': return scaled(value, value !== 0 && Math.abs(value) < 1e-3 ? SI : SI.slice(0, 5), digits, '');
    case 'seconds': return scaled(value, SECONDS, digits, ' ');
    case 'bytes': return scaled(value, BINARY, digits, ' ');
    case 'bytesPerSecond': return `${scaled(value, BINARY, digits, ' ')}/s`;
    case 'ratio': return `${significant(value * 100, digits)} %`;
    case 'perSecond': return `${scaled(value, SI.slice(0, 5), digits, '')}/s`;
    case 'celsius': return `${significant(value, digits)} °C`;
    case 'watts': return scaled(value, SI.slice(0, 5), digits, ' ').replace(/\d$/, '$& ') + 'W';
    case 'hertz': return scaled(value, SI.slice(0, 5), digits, ' ').replace(/\d$/, '$& ') + 'Hz';
  }
}

/** Guesses the unit from a metric's name, as its suffix says it. */
export function unitOfExpr(expr: string): Unit {
  const rate = /\b(rate|irate|increase|delta|deriv)\s*\(/.test(expr);
  if (/histogram_quantile/.test(expr) && /_seconds_bucket/.test(expr)) return 'seconds';
  // A quotient, a count or a product has left the metric's own unit.
  if (/[/*^]|\bcount\b|\bgroup\b|_bucket\b|_count\b|==|!=/.test(expr)) return 'short';
  if (/_ratio\b/.test(expr)) return 'ratio';
  if (/_bytes(_total)?\b/.test(expr)) return rate ? 'bytesPerSecond' : 'bytes';
  if (/_celsius\b/.test(expr)) return 'celsius';
  if (/_watts\b/.test(expr)) return 'watts';
  if (/_hertz\b/.test(expr)) return 'hertz';
  if (/_seconds(_sum)?\b/.test(expr)) return rate ? 'short' : 'seconds';
  return 'short';
}
