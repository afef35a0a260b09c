// A build step: every package whose code ends up in the bundle keeps its licence text in
// dist/third-party-licenses.txt, which the server serves like any other file.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

function packageFolder(file) {
  let folder = dirname(file);
  while (folder !== dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version) return folder;
    folder = dirname(folder);
  }
  return undefined;
}

function notice(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : '';
  return { name: `${manifest.name} ${manifest.version}`, text: `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text}` };
}

export function licences() {
  return {
    name: 'sonde-licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const folders = new Set();
      for (const chunk of Object.values(bundle)) {
        for (const id of Object.keys(chunk.modules ?? {})) {
          const file = id.replace(/^\0/, '').replace(/\?.*$/, '');
          if (file.includes('node_modules')) folders.add(packageFolder(file));
        }
      }
      folders.delete(undefined);
      const notices = [...folders].map(notice).sort((a, b) => a.name.localeCompare(b.name));
      const source = notices.map((n) => n.text).join(`\n\n${'-'.repeat(80)}\n\n`) + '\n';
      this.emitFile({ type: 'asset', fileName: 'third-party-licenses.txt', source });
    },
  };
}
