// Explore with the keyboard alone, its links from Prometheus, and what it does with a query that cannot be read.
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

/** Presses Tab until what has the focus matches, and says what it went past if nothing does. */
async function tabTo(page, matches, most = 40) {
  const passed = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute('aria-label') ?? at?.getAttribute('value') ?? at?.textContent ?? '';
    });
    passed.push(name.slice(0, 30));
    if (matches.test(name)) return;
  }
  assert.fail(`${matches} cannot be reached by Tab: ${passed.join(' > ')}`);
}

test('a query is written, run, seen as table and as chart, and read out, without a mouse', async () => {
  const { page, problems } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/explore?lang=en&g0.expr=&g0.tab=table`);
  await settle(page);
  await page.waitForSelector('.cm-content');
  await tabTo(page, /PromQL expression 1/);
  await page.keyboard.type('vector(4');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Enter');
  await page.waitForSelector('table >> text=4');
  assert.equal(new URL(page.url()).searchParams.get('g0.expr'), 'vector(4)');

  // A chart, by its radio button.
  await tabTo(page, /^(table|graph)$/i);
  await page.keyboard.press('ArrowRight');
  const plot = page.getByRole('img', { name: /^Query 1/ });
  await plot.waitFor();
  await settle(page);
  await plot.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  const spoken = await page.getByRole('status').filter({ hasText: ':' }).innerText();
  assert.match(spoken, /\d\d:\d\d:\d\d/);
  assert.match(spoken, /4/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[aria-label="Result"]');
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(problems, []);
  await page.close();
});

test('words complete from our own API, in a popup that fits the theme', async () => {
  const { page, problems } = await openPage(browser.context, server.origin);
  for (const theme of ['dark', 'light']) {
    await page.goto(`${server.url}/explore?lang=en&theme=${theme}`);
    await settle(page);
    await page.locator('.cm-content').click();
    await page.keyboard.type('histogram_q');
    await page.waitForSelector('.cm-tooltip-autocomplete');
    await page.waitForTimeout(300);
    assert.deepEqual(await axe(page), [], theme);
    await page.keyboard.press('Enter');
    assert.match(await page.locator('.cm-content').innerText(), /histogram_quantile/);
  }
  assert.deepEqual(problems, []);
  await page.close();
});

test('links from Prometheus open the same query', async () => {
  const { page } = await openPage(browser.context, server.origin);
  for (const path of ['/graph', '/query']) {
    await page.goto(`${server.url}${path}?g0.expr=vector(7)&g0.tab=1&g0.range_input=2h&g1.expr=vector(8)&g1.tab=0&g1.stacked=1&g1.step_input=60&lang=en`);
    await settle(page);
    await page.waitForSelector('table >> text=7');
    assert.equal(await page.getByRole('button', { name: 'Step 1m' }).count(), 1);
    assert.equal(await page.getByRole('img', { name: /^Query 2/ }).count(), 1);
  }
  await page.close();
});

test('a query that cannot be read is marked where it goes wrong', async () => {
  const { page } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/explore?g0.expr=${encodeURIComponent('sum(up))')}&g0.tab=table&lang=en`);
  await page.waitForSelector('.cm-server-mark');
  assert.match(await page.locator('main').innerText(), /Line 1, column \d/);
  assert.deepEqual(await axe(page), []);
  await page.close();
});

test('the history remembers, the metric list inserts, and format answers or says that it cannot', async () => {
  const { page } = await openPage(browser.context, server.origin);
  await page.goto(`${server.url}/explore?lang=en&g0.tab=table&g0.expr=`);
  await settle(page);
  await page.locator('.cm-content').click();
  await page.keyboard.type('1+1');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=scalar @');
  await page.getByRole('button', { name: 'Format the query' }).click();
  await page.waitForFunction(() => /1 \+ 1/.test(document.querySelector('.cm-content')?.textContent ?? '') || /cannot format/.test(document.body.innerText));
  await page.getByRole('button', { name: 'Query history' }).click();
  await page.getByRole('option', { name: '1+1' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Metrics', exact: true }).click();
  await page.getByRole('dialog').getByRole('combobox').waitFor();
  await page.waitForTimeout(400);
  assert.deepEqual(await axe(page), []);
  await page.close();
});
