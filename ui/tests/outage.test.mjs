// Pages while the server starts, is away, or has nothing: never a blank, never a riddle. Needs our own test server,
// so it runs where SONDE_API is given.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, openPage, startBrowser } from './browser.mjs';
import { hasApi, serverUnderTest } from './server_under_test.mjs';

let server;
let browser;
before(async () => {
  if (!hasApi) return;
  server = await serverUnderTest({ ownServer: true });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('while the log is replayed there is progress, and then the page', { skip: !hasApi }, async () => {
  const { page } = await openPage(browser.context, server.origin);
  await server.setMode('starting');
  await page.goto(`${server.url}/explore?g0.expr=vector(5)&g0.tab=table&lang=en`);
  await page.waitForSelector('text=The server is starting up.');
  await page.waitForSelector('text=/Segment \\d+ of 20/');
  assert.deepEqual(await axe(page), []);
  await server.setMode('ok');
  await page.waitForSelector('table >> text=5');
  await page.waitForSelector('text=The server is starting up.', { state: 'detached' });
  await page.close();
});

test('while the server is away the last charts stay, greyed and dated', { skip: !hasApi }, async () => {
  const { page } = await openPage(browser.context, server.origin);
  await server.setMode('ok');
  await page.goto(`${server.url}/?lang=en&refresh=5s`);
  await page.waitForSelector('.uplot');
  await server.setMode('offline');
  await page.keyboard.press('r');
  await page.waitForSelector('text=The server does not answer.');
  await page.waitForSelector('text=/data from \\d\\d:\\d\\d:\\d\\d/');
  assert.ok(await page.locator('.uplot').count() > 0);
  assert.deepEqual(await axe(page), []);
  await server.setMode('ok');
  await page.waitForSelector('text=The server does not answer.', { state: 'detached', timeout: 15_000 });
  await page.waitForSelector('text=/data from/', { state: 'detached' });
  await page.close();
});

test('an empty store explains itself and offers a line to copy', { skip: !hasApi }, async () => {
  const { page } = await openPage(browser.context, server.origin);
  await server.setMode('empty');
  await page.goto(`${server.url}/?lang=en`);
  await page.waitForSelector('text=No request traffic yet.');
  await page.waitForSelector('text=127.0.0.1:9798');
  assert.ok(await page.getByRole('button', { name: 'Copy the command' }).count() > 0);
  assert.deepEqual(await axe(page), []);
  await page.goto(`${server.url}/explore?g0.expr=up&g0.tab=graph&lang=en`);
  await page.waitForSelector('text=No data in this time range');
  await server.setMode('ok');
  await page.close();
});
