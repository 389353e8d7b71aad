// Drives one Chromium for the tests: one JSON object a line on standard input is a command, one on
// standard output its answer; {"event": ...} is something that happened meanwhile.
//
//   node driver.js MICROPHONE.wav[%noloop]
//
//   {"id":1,"do":"open","url":"http://127.0.0.1:8080/board?raw=1"}   loads a page, allowed to use the microphone
//   {"id":2,"do":"fill","selector":"#name","text":"Ada"}             types
//   {"id":3,"do":"click","selector":"#join"}                         clicks; "press" with a key's name does what it says
//   {"id":4,"do":"wait","expression":"...","ms":10000}               waits until it is true in the page
//   {"id":5,"do":"evaluate","expression":"..."}                      answers its value
//   {"id":6,"do":"recording","path":"heard.wav","of":""}             writes all that the page has heard, or of one person
//   {"id":7,"do":"stats"}                                            answers getStats() of every connection
//   {"id":8,"do":"screenshot","path":"page.png"}
//   {"id":9,"do":"axe"}                                              answers axe-core's violations
//   {"id":10,"do":"offline","on":true}                               takes the network away from the page
//   {"id":11,"do":"viewport","width":390,"height":844}
//   {"id":12,"do":"scheme","scheme":"dark"}                          or "light"
//   {"id":13,"do":"close"}
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { chromium } = require('playwright-core');

const microphone = process.argv[2];
const executablePath = process.env.PASSERELLE_CHROMIUM || '/usr/bin/chromium';
const recorder = fs.readFileSync(path.join(__dirname, 'recorder.js'), 'utf8');

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  // The microphone is a file, the user says yes, and 127.0.0.1 is a network like any other.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  `--use-file-for-fake-audio-capture=${microphone}`,
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--mute-audio',
  // A page that nobody looks at keeps its clocks.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  // No network but ours.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

// A certificate that nobody vouches for is known by the hash of its key.
if (process.env.PASSERELLE_TRUSTS) flags.push(`--ignore-certificate-errors-spki-list=${process.env.PASSERELLE_TRUSTS}`);

const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);

let browser, context, page;

const commands = {
  async open({ url }) {
    await context.grantPermissions(['microphone'], { origin: new URL(url).origin });
    await page.goto(url);
  },
  fill: ({ selector, text }) => page.fill(selector, text),
  click: ({ selector }) => page.click(selector),
  press: ({ key }) => page.keyboard.press(key),
  async wait({ expression, ms }) {
    // Asked from here: waitForFunction would need eval, which the page's policy forbids.
    for (const deadline = Date.now() + ms; !(await page.evaluate(expression));) {
      if (Date.now() > deadline) throw new Error(`not true within ${ms} ms: ${expression}`);
      await new Promise((wait) => setTimeout(wait, 50));
    }
  },
  evaluate: ({ expression }) => page.evaluate(expression),
  async recording({ path: file, of }) {
    const { pcm, rate } = await page.evaluate(`window.__recorder.take(${JSON.stringify(of ?? '')})`);
    const sound = Buffer.from(pcm, 'base64');
    fs.writeFileSync(file, Buffer.concat([wavHeader(sound.length, rate), sound]));
    return { seconds: sound.length / 2 / rate };
  },
  stats: () => page.evaluate('window.__recorder.stats()'),
  async screenshot({ path: file }) {
    await page.screenshot({ path: file });
  },
  async axe() {
    // A world of its own: the page's policy lets no foreign script in, and must not have to.
    const source = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const session = await context.newCDPSession(page);
    const { frameTree } = await session.send('Page.getFrameTree');
    const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
    const run = (expression) => session.send('Runtime.evaluate', {
      expression, contextId: executionContextId, awaitPromise: true, returnByValue: true,
    });
    await run(source);
    const { result, exceptionDetails } = await run(`axe.run().then(r => r.violations.map(v => ({
      id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => n.html + ' ' + (n.any[0] || n.all[0] || n.none[0] || {}).message) })))`);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  },
  offline: ({ on }) => context.setOffline(on),
  viewport: ({ width, height }) => page.setViewportSize({ width, height }),
  scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
  close: () => browser.close(),
};

// The 44 bytes before 16-bit mono samples.
function wavHeader(bytes, rate) {
  const h = Buffer.alloc(44);
  h.write('RIFF', 0);
  h.writeUInt32LE(36 + bytes, 4);
  h.write('WAVEfmt ', 8);
  h.writeUInt32LE(16, 16);
  h.writeUInt16LE(1, 20);
  h.writeUInt16LE(1, 22);
  h.writeUInt32LE(rate, 24);
  h.writeUInt32LE(rate * 2, 28);
  h.writeUInt16LE(2, 32);
  h.writeUInt16LE(16, 34);
  h.write('data', 36);
  h.writeUInt32LE(bytes, 40);
  return h;
}

async function main() {
  browser = await chromium.launch({ executablePath, headless: true, args: flags });
  context = await browser.newContext({ locale: process.env.PASSERELLE_LOCALE || 'en-GB' });
  await context.addInitScript(recorder);
  page = await context.newPage();
  page.on('console', (m) => say({ event: 'console', level: m.type(), text: m.text() }));
  page.on('pageerror', (e) => say({ event: 'pageerror', text: String(e) }));
  say({ event: 'ready', version: browser.version() });

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      const result = await commands[command.do](command);
      say({ id: command.id, ok: true, result: result ?? null });
    } catch (e) {
      say({ id: command.id, ok: false, error: String(e.message ?? e) });
    }
    if (command.do === 'close') return;
  }
  await browser.close(); // whoever drove us is gone
}

main().catch((e) => {
  say({ event: 'failed', text: String(e.stack ?? e) });
  process.exit(1);
});
