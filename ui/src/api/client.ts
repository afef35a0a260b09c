// One way to the server: same origin, under its path prefix, Prometheus' envelope.

const meta = document.querySelector<HTMLMetaElement>('meta[name="sonde-prefix"]')?.content ?? '';

/** The external path prefix, `` or `/sonde`; a page that no server touched has none. */
export const PREFIX = meta === 'SONDE_PREFIX_PLACEHOLDER' ? '' : meta;

export type ApiErrorKind =
  | 'bad_data' | 'execution' | 'timeout' | 'not_found' | 'internal' | 'not_ready' | 'offline' | 'bad_response' | 'other';

export class ApiError extends Error {
  constructor(readonly kind: ApiErrorKind, message: string, readonly status = 0) {
    super(message);
    this.name = 'ApiError';
  }

  /** The server, not the question, is the trouble: asking again later may help. */
  get isOutage(): boolean {
    return this.kind === 'offline' || this.kind === 'not_ready';
  }
}

export interface Answer {
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly bytes: number;
  readonly elapsedMs: number;
}

export type Params = Readonly<Record<string, string | readonly string[] | undefined>>;

function encode(params: Params): URLSearchParams {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined) continue;
    for (const one of typeof value === 'string' ? [value] : value) out.append(key, one);
  }
  return out;
}

const KINDS: readonly ApiErrorKind[] = ['bad_data', 'execution', 'timeout', 'not_found', 'internal'];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v) => typeof v === 'string') : []);

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failure(status: number, body: unknown, text: string): ApiError {
  if (isObject(body) && typeof body['error'] === 'string') {
    const kind = KINDS.find((k) => k === body['errorType']) ?? 'other';
    return new ApiError(kind, body['error'], status);
  }
  // While the WAL is replayed every route answers 503 in plain text.
  if (status === 503) return new ApiError('not_ready', text.trim() || 'Service Unavailable', status);
  if (status === 502 || status === 504) return new ApiError('offline', `HTTP ${status}`, status);
  if (status === 404) return new ApiError('not_found', 'HTTP 404', status);
  return new ApiError('bad_response', `HTTP ${status}`, status);
}

/** Asks `path` (below `/api/v1/`); long questions go as a form, since URLs have limits on the way. */
export async function ask(path: string, params: Params = {}, signal?: AbortSignal): Promise<Answer> {
  const query = encode(params).toString();
  const url = `${PREFIX}/api/v1/${path}`;
  const started = performance.now();
  let response: Response;
  let text: string;
  try {
    response = query.length > 3000
      ? await fetch(url, { method: 'POST', body: new URLSearchParams(query), ...(signal ? { signal } : {}) })
      : await fetch(query ? `${url}?${query}` : url, signal ? { signal } : {});
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('offline', error instanceof Error ? error.message : String(error));
  }
  const body = parseBody(text);
  if (!response.ok) throw failure(response.status, body, text);
  if (!isObject(body) || body['status'] !== 'success') throw new ApiError('bad_response', text.slice(0, 200), response.status);
  return {
    data: body['data'],
    warnings: strings(body['warnings']),
    infos: strings(body['infos']),
    bytes: text.length,
    elapsedMs: performance.now() - started,
  };
}

/** The address of an endpoint, as a person outside would call it. */
export const absoluteUrl = (path: string): string => `${window.location.origin}${PREFIX}/api/v1/${path}`;
