// Every page, in every language, theme and width: no error, no foreign request, no axe finding, no sideways scroll.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axe, openPage, settle, startBrowser } from './browser.mjs';
import { serverUnderTest } from './server_under_test.mjs';

const ROUTES = {
  overview: '/',
  overview_models: '/?latency=model&from=now-3h&to=now',
  explore: '/explore?g0.expr=sum+by+(job)+(up)&g0.tab=graph&g1.expr=up&g1.tab=table',
  targets: '/targets',
  status: '/status',
  status_storage: '/status?tab=storage',
  status_flags: '/flags',
  status_config: '/config',
  missing: '/nowhere',
};
const HEIGHTS = { 1440: 2300, 768: 1400, 360: 1400 };
// SONDE_WIDTHS=1440,360 looks at fewer of them.
const WIDTHS = Object.fromEntries(Object.entries(HEIGHTS).filter(([width]) => (process.env.SONDE_WIDTHS ?? width).split(',').includes(width)));
const shots = process.env.SONDE_SHOTS;

let server;
let browser;
before(async () => {
  server = await serverUnderTest();
  browser = await startBrowser();
  if (shots) mkdirSync(shots, { recursive: true });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const theme of ['light', 'dark']) {
  for (const lang of ['en', 'zh-CN']) {
    test(`all pages, ${lang}, ${theme}`, async () => {
      const { page, problems } = await openPage(browser.context, server.origin);
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      for (const [name, route] of Object.entries(ROUTES)) {
        for (const [width, height] of Object.entries(WIDTHS)) {
          const where = `${name} ${lang} ${theme} ${width}`;
          await page.setViewportSize({ width: Number(width), height });
          await page.goto(`${server.url}${route}${route.includes('?') ? '&' : '?'}lang=${lang}&theme=${theme}`);
          await settle(page);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(wide <= 0, `${where}: ${wide} px wider than the screen`);
          assert.deepEqual(await axe(page), [], where);
          assert.deepEqual(problems, [], where);
          assert.equal(await page.evaluate(() => document.documentElement.lang), lang, where);
          if (shots) await page.screenshot({ path: join(shots, `${name}_${lang}_${theme}_${width}.png`) });
        }
      }
      await page.close();
    });
  }
}
