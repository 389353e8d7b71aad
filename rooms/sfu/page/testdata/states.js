// Brings the page into each of its states and looks at it: node states.js PAGE CONTROL SCENES. PAGE is a real
// house of rooms (house_test.go), CONTROL what acts on it. Prints one JSON object a state.

import { launchers, say } from './browser.js';

const [page, control, scenes] = process.argv.slice(2);
const { states } = await import(`./${scenes}`);

/** @param {string} action of house_test.go @param {Record<string, string>} [values] */
async function act(action, values = {}) {
  const answer = await fetch(`${control}/${action}`, { method: 'POST', body: new URLSearchParams(values) });
  if (!answer.ok) throw new Error(`${action}: ${await answer.text()}`);
}

process.once('SIGINT', () => process.exit(1)); // playwright ends its browsers

const only = new RegExp(process.env.PASSERELLE_STATES ?? ''); // some of them, while one works at the page
for (const [kind, launch] of Object.entries(launchers)) {
  const mine = states.filter((/** @type {any} */ s) => (s.browser ?? 'talking') === kind && only.test(s.state) && (!s.picture || process.env.PASSERELLE_SHOTS));
  if (!mine.length) continue;
  const browser = await launch();
  for (const scene of mine) await say(browser, scene, { page, act });
  await browser.close();
}
