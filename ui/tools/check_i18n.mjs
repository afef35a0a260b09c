// Fails on a text that one language has and another has not, that nothing uses, or that is used and missing, and on
// a placeholder that differs between languages.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));
const PLURAL = /_(zero|one|two|few|many|other)$/;

function flatten(tree, prefix = '') {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[prefix + key, value]] : flatten(value, `${prefix}${key}.`));
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path);
    return /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const load = (language) => new Map(flatten(JSON.parse(readFileSync(join(SRC, 'lib/locales', `${language}.json`), 'utf8'))));
const languages = { en: load('en'), 'zh-CN': load('zh-CN') };
const problems = [];

/** Keys without their plural form, with the placeholders of all forms. */
function shape(texts) {
  const out = new Map();
  for (const [key, text] of texts) {
    const base = key.replace(PLURAL, '');
    const names = out.get(base) ?? new Set();
    for (const [, name] of text.matchAll(/\{\{\s*(\w+)\s*\}\}/g)) names.add(name);
    out.set(base, names);
  }
  return out;
}

const shapes = Object.fromEntries(Object.entries(languages).map(([language, texts]) => [language, shape(texts)]));
const all = new Set(Object.values(shapes).flatMap((keys) => [...keys.keys()]));
for (const key of all) {
  for (const [language, keys] of Object.entries(shapes)) if (!keys.has(key)) problems.push(`${language} lacks ${key}`);
  const placeholders = Object.values(shapes).map((keys) => [...(keys.get(key) ?? [])].sort().join(','));
  if (new Set(placeholders).size > 1) problems.push(`${key}: the placeholders differ: ${placeholders.join(' | ')}`);
}
for (const [language, texts] of Object.entries(languages)) {
  const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  const plural = new Set([...texts.keys()].filter((key) => PLURAL.test(key)).map((key) => key.replace(PLURAL, '')));
  for (const base of plural) for (const form of forms) if (!texts.has(`${base}_${form}`)) problems.push(`${language} lacks ${base}_${form}`);
  for (const [key, text] of texts) if (text.trim() === '') problems.push(`${language}: ${key} is empty`);
}

// Every key stands somewhere as a whole string, so that both directions can be seen without running anything.
const source = files(SRC).map((path) => readFileSync(path, 'utf8')).join('\n');
const literals = new Set([...source.matchAll(/'([a-zA-Z]+\.[a-zA-Z0-9]+)'/g)].map(([, key]) => key));
for (const key of all) if (!literals.has(key)) problems.push(`nothing uses ${key}`);
for (const [, key] of source.matchAll(/\bt\('([^']+)'/g)) if (!all.has(key)) problems.push(`${key} is used and missing`);
if (/\bt\(`/.test(source)) problems.push('a key is put together at run time, which no check can follow');

for (const problem of problems) console.error(problem);
console.log(`i18n: ${all.size} texts in ${Object.keys(languages).length} languages, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
