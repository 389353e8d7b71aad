// Chromium as the tests want it, and what is asked of every state of the page whatever it shows.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const modules = createRequire(`${process.env.PASSERELLE_NODE_MODULES}/`);
const { chromium } = modules('playwright-core');
const axe = readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.PASSERELLE_SHOTS;
if (shots) mkdirSync(shots, { recursive: true });

const plain = [
  '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--mute-audio', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--allow-loopback-in-peer-connection', '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--host-resolver-rules=MAP rooms.example 127.0.0.1',
];
const device = '--use-fake-device-for-media-stream'; // a beep now and then
const launch = (/** @type {string[]} */ ...flags) => () => chromium.launch({
  executablePath: process.env.PASSERELLE_CHROMIUM ?? '/usr/bin/chromium', args: [...plain, ...flags],
});

/** Browsers, by how they are with the microphone. */
export const launchers = {
  talking: launch(device, '--use-fake-ui-for-media-stream'),
  refusing: launch(device, '--deny-permission-prompts'),
  deaf: launch('--use-fake-ui-for-media-stream'), // there is no microphone
};

const desk = { viewport: { width: 1280, height: 800 }, locale: 'en-GB', reducedMotion: 'reduce' };
export const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
export const narrow = { viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
export const french = { locale: 'fr-FR' };
export const dark = { colorScheme: 'dark' };

/**
 * Plays one scene and prints what is wrong.
 * @param {any} browser
 * @param {import('./scenes.js').Scene} scene
 * @param {{page: string, act: Function}} house
 */
export async function say(browser, scene, { page: address, act }) {
  /** @type {string[]} */
  const problems = [];
  const begin = performance.now();
  const context = await browser.newContext({ ...desk, ...scene.as });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on('pageerror', (/** @type {Error} */ e) => problems.push(`uncaught: ${e.message}`));
  page.on('console', (/** @type {any} */ m) => {
    const text = m.text();
    if (['error', 'warning'].includes(m.type()) && !scene.noise?.test(text)) problems.push(`console: ${text}`);
  });
  try {
    await scene.play({ page, address, act, context, want: (ok, what) => { if (!ok) problems.push(what); } });
    problems.push(...await complaints(page));
    if (shots) await page.screenshot({ path: `${shots}/${scene.state.replace(/[^a-z0-9]+/gi, '-')}.png` });
  } catch (error) {
    problems.push(String(error));
    if (shots) await page.screenshot({ path: `${shots}/failed.png` });
  }
  await context.close();
  console.log(JSON.stringify({ state: scene.state, problems, seconds: (performance.now() - begin) / 1000 }));
}

/** @param {any} page @returns {Promise<string[]>} what axe-core and the layout complain of */
async function complaints(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await /** @type {any} */ (window).axe.run(document, { resultTypes: ['violations'] });
    const all = found.violations.map((/** @type {any} */ v) =>
      `axe: ${v.id}: ${v.nodes.map((/** @type {any} */ n) => `${n.target} ${n.failureSummary}`).join('; ')}`);
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) all.push(`layout: ${root.scrollWidth - root.clientWidth} px too wide`);
    for (const node of document.querySelectorAll('button, a, input, select')) {
      const { width, height } = node.getBoundingClientRect();
      if (width && height && height < 24 && node.type !== 'checkbox') all.push(`layout: ${node.id || node.textContent} is ${height} px high`);
    }
    if (root.lang !== 'en' && root.lang !== 'fr') all.push(`language: ${root.lang}`);
    return all;
  });
}
