// Serves ui/dist as Sonde's own server does: the CSP, the prefix, the fallback to index.html; and passes /api on to
// a server that answers it. For the browser tests only.
//
//   SONDE_API=http://127.0.0.1:9090 PORT=9789 PREFIX=/sonde node tests/server.mjs
//
// POST /__test/mode with the body `ok`, `starting` (503, with WAL replay progress), `offline` or `empty` changes what
// the API answers, so that a test can watch the pages cope.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const CSP = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
  + "frame-ancestors 'self'; base-uri 'self'; form-action 'self'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8' };

/** Starts a server; returns its address and a function that stops it. */
export async function serve({ api, prefix = '', port = 0 }) {
  const target = new URL(api);
  let mode = 'ok';
  let replayed = 0;

  const json = (response, status, body) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  };

  function answerApi(request, response, path) {
    if (mode === 'offline') return void request.socket.destroy();
    if (mode === 'starting') {
      replayed = Math.min(20, replayed + 1);
      if (path.startsWith('/api/v1/status/walreplay')) return json(response, 200, { status: 'success', data: { min: 0, max: 20, current: replayed } });
      response.writeHead(503, { 'Content-Type': 'text/plain' });
      return void response.end('Service Unavailable');
    }
    if (mode === 'empty' && /query(_range)?\?/.test(path)) {
      const resultType = path.includes('query_range') ? 'matrix' : 'vector';
      return json(response, 200, { status: 'success', data: { resultType, result: [] } });
    }
    if (mode === 'empty' && /\/labels|\/label\//.test(path)) return json(response, 200, { status: 'success', data: [] });
    const passed = http.request({ host: target.hostname, port: target.port, method: request.method, path, headers: { ...request.headers, host: target.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
    // A page that goes away gives its questions up.
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  }

  function answerFile(response, path) {
    const file = normalize(join(DIST, path));
    const found = path !== '/' && file.startsWith(DIST) && existsSync(file);
    const headers = { 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff' };
    if (!found) {
      response.writeHead(200, { ...headers, 'Content-Type': TYPES['.html'], 'Cache-Control': 'no-cache' });
      return void response.end(readFileSync(join(DIST, 'index.html'), 'utf8').replaceAll('SONDE_PREFIX_PLACEHOLDER', prefix));
    }
    response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  }

  const server = http.createServer((request, response) => {
    const url = request.url ?? '/';
    if (url === '/__test/mode') {
      let body = '';
      request.on('data', (part) => { body += part; });
      request.on('end', () => {
        mode = body.trim();
        replayed = 0;
        response.end(mode);
      });
      return;
    }
    if (prefix && !url.startsWith(prefix)) return void response.writeHead(404).end();
    const path = url.slice(prefix.length) || '/';
    if (path.startsWith('/api/') || path.startsWith('/-/')) answerApi(request, response, path);
    else answerFile(response, decodeURIComponent(path.split('?')[0] ?? '/'));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: bound } = server.address();
  return {
    origin: `http://127.0.0.1:${bound}`,
    url: `http://127.0.0.1:${bound}${prefix}`,
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve({ api: process.env.SONDE_API ?? 'http://127.0.0.1:9090', prefix: process.env.PREFIX ?? '', port: Number(process.env.PORT ?? 9789) });
  console.log(url);
}
