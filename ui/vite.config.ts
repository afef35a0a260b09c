/// <reference types="vitest/config" />
import { defineConfig } from 'vite';
import { licences } from './tools/licences.mjs';

// The server that answers the API while `npm run dev` serves the pages.
const api = process.env['SONDE_API'] ?? 'http://127.0.0.1:9797';

export default defineConfig({
  // Relative, and index.html has a <base>: the same files work under any path prefix.
  base: './',
  plugins: [licences()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    rollupOptions: {
      // "use client" is a word to frameworks that render on a server; there is none here.
      onwarn: (warning, warn) => {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  server: { proxy: { '/api': api, '/-/': api } },
  test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
});
