// Fails if the built pages are over their budget (docs/ui.md), or if they could ask another host for something.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const KB = 1024;
const BUDGET = { js: 230 * KB, jsHard: 260 * KB, css: 25 * KB, chunk: 160 * KB };

const sizeOf = (name) => gzipSync(readFileSync(join(DIST, 'assets', name)), { level: 9 }).length;
const html = readFileSync(join(DIST, 'index.html'), 'utf8');
const named = (pattern) => [...html.matchAll(pattern)].map(([, name]) => name);
const assets = readdirSync(join(DIST, 'assets'));

// One language is always fetched: the larger counts.
const languages = assets.filter((name) => /^(en|zh-CN)-.*\.js$/.test(name));
const first = named(/(?:src|href)="\.\/assets\/([^"]+\.js)"/g);
const js = first.reduce((sum, name) => sum + sizeOf(name), 0) + Math.max(...languages.map(sizeOf));
const css = named(/href="\.\/assets\/([^"]+\.css)"/g).reduce((sum, name) => sum + sizeOf(name), 0);
const lazy = assets.filter((name) => name.endsWith('.js') && !first.includes(name) && !languages.includes(name))
  .map((name) => ({ name, size: sizeOf(name) })).sort((a, b) => b.size - a.size);

const problems = [];
const line = (what, size, limit) => {
  console.log(`${what.padEnd(34)} ${(size / KB).toFixed(1).padStart(7)} KiB gz   budget ${(limit / KB).toFixed(0)}`);
  if (size > limit) problems.push(`${what} is over its budget`);
};
line('first JavaScript (shell, Overview)', js, BUDGET.js);
line('first CSS', css, BUDGET.css);
for (const { name, size } of lazy.slice(0, 4)) line(name, size, BUDGET.chunk);

if (js > BUDGET.jsHard) problems.push('the first JavaScript is over the hard limit');
if (!html.includes('SONDE_PREFIX_PLACEHOLDER')) problems.push('index.html lost its prefix placeholder');
if (/<script(?![^>]*\bsrc=)[^>]*>/.test(html)) problems.push('index.html has an inline script, which the CSP forbids');
if (/(?:src|href)="(?:https?:)?\/\//.test(html)) problems.push('index.html names another host');
for (const name of assets.filter((file) => file.endsWith('.css'))) {
  if (/url\(["']?(?:https?:)?\/\//.test(readFileSync(join(DIST, 'assets', name), 'utf8'))) problems.push(`${name} names another host`);
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
