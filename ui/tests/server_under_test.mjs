// What the browser tests look at: a running server named by SONDE_URL, or the built pages in front of SONDE_API.
import { serve } from './server.mjs';

/** The address to test, and where our own test server runs, the control over how its API behaves. */
export async function serverUnderTest(options = {}) {
  const url = process.env.SONDE_URL?.replace(/\/+$/, '');
  if (url && !options.ownServer) return { url, origin: new URL(url).origin, stop: async () => {}, setMode: undefined };
  const { origin, url: own, stop } = await serve({ api: process.env.SONDE_API ?? 'http://127.0.0.1:9090', prefix: options.prefix ?? '' });
  const setMode = (mode) => fetch(`${origin}/__test/mode`, { method: 'POST', body: mode });
  return { url: own, origin, stop, setMode };
}

/** Our own server needs an API behind it; a server named by SONDE_URL has one. */
export const hasApi = Boolean(process.env.SONDE_API);
