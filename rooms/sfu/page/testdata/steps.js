// What scenes have in common: how to get into a room, and what is seen and heard there.

export const caller = '+33 1 •• •• •• 89';
export const gone = /WebSocket connection to/; // a browser says so itself, whatever the page does

export const at = (/** @type {any} */ page, /** @type {string} */ state) => page.waitForSelector(`html[data-link="${state}"]`);
export const text = (/** @type {any} */ page, /** @type {string} */ selector) => page.locator(selector).innerText();

/** Opens a room and joins it. */
export async function join(/** @type {any} */ { page, address }, room = 'board', name = 'Ada Lovelace') {
  await page.goto(`${address}/${room}`);
  await page.fill('#name', name);
  await page.waitForSelector('#microphone:not([data-state="asleep"]):not([data-state="asking"])');
  await page.click('#join');
  await page.waitForSelector('html[data-state="in"]');
  await at(page, 'good');
}

/** Waits until the caller's tone is heard, in whichever slot. */
export const hear = (/** @type {any} */ page) => page.evaluate(async () => {
  const context = new AudioContext();
  const { slots } = /** @type {any} */ (window).passerelle;
  const ears = slots.map((/** @type {any} */ s) => {
    const ear = new AnalyserNode(context, { fftSize: 8192 });
    context.createMediaStreamSource(new MediaStream([s.track])).connect(ear);
    return ear;
  });
  const until = performance.now() + 8000;
  const spectrum = new Float32Array(ears[0].frequencyBinCount);
  for (;;) {
    for (const ear of ears) {
      ear.getFloatFrequencyData(spectrum);
      const loudest = spectrum.indexOf(Math.max(...spectrum));
      if (spectrum[loudest] > -50 && Math.abs(loudest * context.sampleRate / 8192 - 440) < 12) {
        await context.close();
        return true;
      }
    }
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

/** Whether every slot's element plays. */
export const plays = (/** @type {any} */ page) => page.evaluate(() =>
  /** @type {any} */ (window).passerelle.slots.every((/** @type {any} */ s) => s.audio && !s.audio.paused));

export const person = (/** @type {string} */ name) => `.person:has(.name:text-is("${name}"))`;
