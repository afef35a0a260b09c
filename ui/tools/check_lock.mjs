// Fails if package-lock.json is not whole, if it names where a package is fetched from (that is the reader's own configuration), if a
// version is not pinned, or if a package needs a newer Node than the oldest that we build with.
import { readFileSync } from 'node:fs';

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const lock = read('package-lock.json');
const manifest = read('package.json');
const OLDEST = [18, 19, 0];

// Code for browsers, or only types: Node never runs it, it only passes through the bundler.
const NOT_RUN_BY_NODE = new Set(['node_modules/lru-cache', 'node_modules/tagged-tag', 'node_modules/type-fest']);

const atLeast = (have, want) => {
  for (let i = 0; i < 3; i++) if (have[i] !== want[i]) return have[i] > want[i];
  return true;
};

/** Whether OLDEST satisfies one comparator such as `>=18`, `^18.18.0` or `18.x`. */
function accepts(comparator) {
  const found = /^(\^|~|>=|>|<=|<|=)?\s*v?(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?$/.exec(comparator);
  if (!found) return comparator === '*' || comparator === '';
  const [, operator = '', ...digits] = found;
  const want = digits.map((d) => Number(d) || 0);
  if (operator === '>=' || operator === '>') return atLeast(OLDEST, want);
  if (operator === '<=' || operator === '<') return !atLeast(OLDEST, want);
  return OLDEST[0] === want[0] && atLeast(OLDEST, want);
}

const satisfied = (range) => range.split('||').some((part) =>
  part.trim().replace(/([<>=^~]+)\s+/g, '$1').split(/\s+/).every(accepts));

const problems = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  if (entry.resolved) problems.push(`${path} has a download address: npm install --omit-lockfile-registry-resolved`);
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    // Builds for other machines: without them `npm ci` refuses the whole file.
    if (!lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`]) problems.push(`${path} lacks its ${name}`);
  }
  const range = entry.engines?.node;
  if (range && !entry.optional && !NOT_RUN_BY_NODE.has(path) && !satisfied(range)) problems.push(`${path} needs Node ${range}`);
}
for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) problems.push(`${name} is not pinned: ${version}`);
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
