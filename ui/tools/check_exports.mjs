// Fails on an export that nothing uses: dead code that no compiler flag finds.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const texts = new Map(files(SRC).map((path) => [path, readFileSync(path, 'utf8')]));
const dead = [];
for (const [path, text] of texts) {
  if (/\.test\.tsx?$/.test(path)) continue;
  for (const [, kind, name] of text.matchAll(/^export (?:async )?(function|const|class|type|interface) (\w+)/gm)) {
    const word = new RegExp(`\\b${name}\\b`, 'g');
    const users = [...texts].filter(([other, body]) => other !== path && body.match(word)).map(([other]) => other);
    const used = users.some((other) => !/\.test\.tsx?$/.test(other));
    // A type may be exported for a signature's sake, and a function that its own file uses for a test's.
    const isType = kind === 'type' || kind === 'interface';
    const ownUse = text.match(word).length > 1 && (isType || users.length > 0);
    if (!used && !ownUse) dead.push(`${relative(SRC, path)}: ${name}`);
  }
}
for (const line of dead) console.error(`never used elsewhere: ${line}`);
process.exit(dead.length > 0 ? 1 : 0);
