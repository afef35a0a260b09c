// The scope in the URL: it survives navigation, zooms step back, shortcuts move it, a path prefix changes nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, openPage, settle, startBrowser } from './browser.mjs';
import { serverUnderTest } from './server_under_test.mjs';

let server;
let browser;
before(async () => {
  server = await serverUnderTest();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const param = (page, name) => new URL(page.url()).searchParams.get(name);

test('the scope goes along from page to page', async () => {
  const { page, problems } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/targets?from=now-6h&to=now&tz=Asia/Shanghai&f=model%3Dx&lang=en&refresh=off`);
  await settle(page);
  await page.getByRole('link', { name: 'Explore' }).click();
  await page.waitForSelector('.cm-content');
  assert.deepEqual(['from', 'tz', 'f', 'refresh'].map((name) => param(page, name)), ['now-6h', 'Asia/Shanghai', 'model=x', 'off']);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Remove model=x' }).click();
  assert.equal(param(page, 'f'), null);
  await page.goBack();
  assert.equal(param(page, 'f'), 'model=x');
  assert.deepEqual(problems, []);
  await page.close();
});

test('a brush zooms, and the back button steps out again', async () => {
  const { page } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/explore?g0.expr=vector(time())&g0.tab=graph&lang=en&refresh=off`);
  const plot = page.getByRole('img', { name: /^Query 1/ });
  await plot.waitFor();
  await settle(page);
  const widths = [];
  for (let i = 0; i < 2; i++) {
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 100, { steps: 5 });
    await page.mouse.up();
    await page.waitForTimeout(300);
    widths.push(Number(param(page, 'to')) - Number(param(page, 'from')));
  }
  assert.ok(widths[0] > 400_000 && widths[0] < 1_200_000, `first zoom: ${widths[0]} ms of an hour`);
  assert.ok(widths[1] < widths[0] / 2, `second zoom: ${widths[1]} ms`);
  await page.goBack();
  assert.equal(Number(param(page, 'to')) - Number(param(page, 'from')), widths[0]);
  await page.goBack();
  assert.equal(param(page, 'from'), null);
  await page.close();
});

test('a drag with Shift moves in time, with a picture of the chart in the meantime', async () => {
  const { page } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/explore?g0.expr=vector(time())&g0.tab=graph&lang=en&refresh=off&from=1767225600000&to=1767229200000`);
  const plot = page.getByRole('img', { name: /^Query 1/ });
  await plot.waitFor();
  await settle(page);
  const box = await plot.boundingBox();
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width / 2, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 120, box.y + 100, { steps: 6 });
  assert.match(await page.evaluate(() => document.querySelector('.uplot canvas[style*="translateX"]')?.style.transform ?? ''), /translateX\(120px\)/);
  await page.mouse.up();
  await page.keyboard.up('Shift');
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => document.querySelectorAll('.uplot canvas').length), 1, 'the picture is gone');
  assert.ok(Number(param(page, 'from')) < 1767225600000, 'dragging to the right shows the past');
  assert.equal(Number(param(page, 'to')) - Number(param(page, 'from')), 3_600_000);
  await page.close();
});

test('shortcuts: palette, help, time range, pages, panning', async () => {
  const { page, problems } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/status?lang=en`);
  await settle(page);
  for (const [key, name] of [['Control+k', 'Go to'], ['?', 'Keyboard shortcuts']]) {
    await page.keyboard.press(key);
    await page.getByRole('dialog', { name }).waitFor();
    await page.waitForTimeout(250);
    assert.deepEqual(await axe(page), [], key);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name }).waitFor({ state: 'hidden' });
  }
  await page.keyboard.press('t');
  await page.getByLabel('From').waitFor();
  await page.waitForTimeout(250);
  assert.deepEqual(await axe(page), [], 't');
  await page.getByLabel('From').fill('now-2h');
  await page.keyboard.press('Enter');
  assert.equal(param(page, 'from'), 'now-2h');
  await page.locator('main').focus();
  await page.keyboard.press('[');
  assert.ok(Number(param(page, 'from')) > 1e12);
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  await page.waitForURL(/\/targets/);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('overview');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /^\/?$/.test(location.pathname) || location.pathname.split('/').length <= 2);
  assert.deepEqual(problems, []);
  await page.close();
});

test('language and theme switch at once, and are kept', async () => {
  const { page } = await openPage(browser.context, server.origin);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(`${server.url}/targets?lang=en`);
  await settle(page);
  await page.getByRole('button', { name: 'Language' }).click();
  await page.getByRole('menuitemradio', { name: '简体中文' }).click();
  await page.getByRole('link', { name: '采集目标' }).waitFor();
  assert.equal(param(page, 'lang'), 'zh-CN');
  await page.getByRole('button', { name: '主题' }).click();
  await page.getByRole('menuitemradio', { name: '深色' }).click();
  await page.waitForSelector('html[data-mantine-color-scheme=dark]');
  await page.goto(`${server.url}/status`);
  await page.waitForSelector('html[data-mantine-color-scheme=dark][lang=zh-CN]');
  await page.close();
});

test('under a path prefix everything works the same', { skip: process.env.SONDE_URL !== undefined }, async () => {
  const prefixed = await serverUnderTest({ prefix: '/deep/sonde' });
  const { page, problems } = await openPage(browser.context, prefixed.origin);
  await page.goto(`${prefixed.url}/explore?g0.expr=vector(3)&g0.tab=table&lang=en`);
  await page.waitForSelector('table >> text=3');
  await page.getByRole('link', { name: 'Targets' }).click();
  await page.waitForURL(/\/deep\/sonde\/targets/);
  await settle(page);
  await page.reload();
  await settle(page);
  assert.match(await page.title(), /Targets/);
  assert.deepEqual(problems, []);
  await page.close();
  await prefixed.stop();
});
