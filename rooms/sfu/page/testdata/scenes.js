// The states of the page, and how to get there.

import { dark, french, narrow, phone } from './browser.js';

/**
 * @typedef {object} Scene
 * @property {string} state its name
 * @property {(stage: {page: any, address: string, act: Function, context: any,
 *   want: (ok: boolean, what: string) => void}) => Promise<void>} play
 * @property {'talking'|'refusing'|'deaf'} [browser]
 * @property {object} [as] the browser's window and language
 * @property {boolean} [picture] it proves nothing: it is drawn for the README, where pictures are asked for
 * @property {RegExp} [noise] what the console may say
 */

const caller = '+33 1 •• •• •• 89';
const gone = /WebSocket connection to/; // a browser says so itself, whatever the page does

const at = (/** @type {any} */ page, /** @type {string} */ state) => page.waitForSelector(`html[data-link="${state}"]`);
const text = (/** @type {any} */ page, /** @type {string} */ selector) => page.locator(selector).innerText();

/** Opens a room and joins it. */
async function join(/** @type {any} */ { page, address }, room = 'board', name = 'Ada Lovelace') {
  await page.goto(`${address}/${room}`);
  await page.fill('#name', name);
  await page.waitForSelector('#microphone:not([data-state="asleep"]):not([data-state="asking"])');
  await page.click('#join');
  await page.waitForSelector('html[data-state="in"]');
  await at(page, 'good');
}

/** Enters as a moderator, by the link that has the password. */
async function host(/** @type {any} */ { page, address, room = 'council', name = 'Ada Lovelace' }) {
  await join({ page, address }, `${encodeURIComponent(room)}#moderator=${room === 'council' ? 'gavel%20%26%20co' : 'gavel'}`, name);
}

/** Knocks at the waiting room. */
async function knock(/** @type {any} */ { page, address, name = 'Grace Hopper' }) {
  await page.goto(`${address}/council`);
  await page.fill('#name', name);
  await page.waitForSelector('#password-field', { state: 'visible' });
  await page.fill('#password', 'open sesame');
  await page.waitForSelector('#microphone[data-state="on"]');
  await page.click('#join');
  await page.waitForSelector('html[data-view="waiting"]');
}

const guests = [caller, 'Meeting room 4', 'Élodie Marchand-Deschamps'];

/** Three phones knock, where they do not yet. */
async function knocks(/** @type {any} */ { page, act }) {
  for (const name of guests) await act('knock', { room: 'council', name });
  await page.waitForSelector('#knocks .line:nth-child(3)');
}

/** Calls a number. */
async function dial(/** @type {any} */ page, /** @type {string} */ number) {
  await page.click('#call-open');
  await page.fill('#call-number', number);
  await page.keyboard.press('Enter');
}

/** Waits until the caller's tone is heard, in whichever slot. */
const hear = (/** @type {any} */ page) => page.evaluate(async () => {
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
const plays = (/** @type {any} */ page) => page.evaluate(() =>
  /** @type {any} */ (window).passerelle.slots.every((/** @type {any} */ s) => s.audio && !s.audio.paused));

const person = (/** @type {string} */ name) => `.person:has(.name:text-is("${name}"))`;

/** @type {Scene[]} */
export const states = [
  {
    state: 'start',
    async play({ page, address, want }) {
      await page.goto(address);
      want(/^\/\d{6}$/.test(await page.getAttribute('#room-new', 'href')), 'no new room is offered');
      await page.fill('#room-name', 'the board');
      await page.keyboard.press('Enter');
      await page.waitForURL('**/the-board');
      await page.goBack();
    },
  },
  {
    state: 'start, a name that cannot be',
    as: { ...narrow, ...french },
    async play({ page, address, want }) {
      await page.goto(address);
      await page.fill('#room-name', '/');
      await page.click('#start-go');
      want((await text(page, '#room-error')).startsWith('Le nom'), 'no words for a bad name');
    },
  },
  {
    state: 'an address that is no room',
    noise: /404/,
    async play({ page, address, want }) {
      await page.goto(`${address}/a/b`);
      want((await text(page, '#room-error')).includes('64 letters'), 'no words for a bad address');
    },
  },
  {
    state: 'lobby, and joining by keyboard alone',
    as: phone,
    async play({ page, address, want }) {
      await page.goto(`${address}/solo`);
      await page.waitForSelector('#microphone[data-state="on"]');
      await page.waitForFunction(() => Number(/** @type {any} */ (document.querySelector('[data-meter]')).style.getPropertyValue('--level')) > 0.3);
      want((await text(page, '#microphone-works')) === 'Your microphone works.', 'the meter moved without words');
      await page.focus('#name');
      await page.keyboard.type('Ada');
      await page.keyboard.press('Enter');
      await page.waitForSelector('html[data-state="in"]');
      want(await page.evaluate(() => document.activeElement?.id) === 'room-title', 'the room’s heading has no focus');
      await page.reload();
      await page.waitForSelector('#microphone[data-state="on"]');
      want(await page.inputValue('#name') === 'Ada', 'the name is not remembered');
    },
  },
  {
    state: 'password, wrong',
    async play({ page, address, want }) {
      await page.goto(`${address}/locked`);
      await page.fill('#name', 'Ada');
      await page.fill('#password', 'swordfish');
      await page.click('#join');
      await page.waitForSelector('#password-error:not(:empty)');
      want(await page.evaluate(() => document.activeElement?.id) === 'password', 'the password has no focus');
    },
  },
  {
    state: 'password, right',
    as: dark,
    async play({ page, address }) {
      await page.goto(`${address}/locked`);
      await page.fill('#name', 'Ada');
      await page.waitForSelector('#password', { state: 'visible' });
      await page.fill('#password', 'open sesame');
      await page.click('#join');
      await at(page, 'good');
    },
  },
  {
    state: 'alone in the room',
    async play({ page, address, want }) {
      await join({ page, address }, 'alone');
      want((await text(page, '#alone-ways code')) === `${address}/alone`, 'no link to send');
      want((await text(page, '#people-count')) === '1 person here', 'people are not counted');
    },
  },
  {
    state: 'room, a phone speaks and is heard',
    async play({ page, address, act, want }) {
      await act('phone', { room: 'board', name: caller });
      await act('silent', { room: 'board', name: 'Meeting room 4' });
      await join({ page, address });
      await page.waitForSelector(`${person(caller)}[data-kind="phone"][data-speaking="true"]`);
      await page.waitForSelector(`${person('Meeting room 4')}[data-muted="true"]`);
      await page.waitForSelector(`${person('Ada Lovelace')}[data-self="true"][data-speaking="true"]`); // the fake microphone beeps
      want(await hear(page), 'the phone’s tone is not heard');
      want(await plays(page), 'a slot does not play');
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('2 others are here'));
    },
  },
  {
    state: 'picture of a room',
    picture: true,
    as: { viewport: { width: 1200, height: 720 }, deviceScaleFactor: 2, reducedMotion: 'no-preference' },
    async play({ page, address, act, context }) {
      await page.waitForTimeout(1000); // those of the scene before are gone
      await act('phone', { room: 'studio', name: caller });
      await join({ page, address }, 'studio');
      await page.keyboard.press('m');
      for (const name of ['Grace Hopper', 'Élodie Marchand', 'Alan Turing']) {
        const other = await context.newPage();
        await join({ page: other, address }, 'studio', name);
        if (name !== 'Grace Hopper') await other.keyboard.press('m');
      }
      await act('silent', { room: 'studio', name: 'Meeting room 4' });
      await page.bringToFront();
      await page.waitForSelector(person('Meeting room 4'));
      await page.waitForTimeout(7000); // nothing is said any more
      await page.keyboard.press('m');
      await page.evaluate(() => { /** @type {any} */ (document.querySelector('#notice')).hidden = true; });
      await page.waitForFunction(() => {
        const lights = [...document.querySelectorAll('.person')].map((p) => Number(/** @type {any} */ (p).style.getPropertyValue('--light')));
        return lights.filter((l) => l > 0.5).length > 1;
      }, null, { polling: 20 });
      await page.waitForTimeout(120);
    },
  },
  {
    state: 'picture of a moderator',
    picture: true,
    as: { viewport: { width: 1120, height: 760 }, reducedMotion: 'no-preference' },
    async play({ page, address, act, context }) {
      await host({ page, address, room: 'desk' });
      await act('silent', { room: 'desk', name: 'Meeting room 4' });
      const other = await context.newPage();
      await join({ page: other, address }, 'desk', 'Grace Hopper');
      await page.bringToFront();
      await act('hand', { room: 'desk', name: 'Meeting room 4' });
      await act('knock', { room: 'desk', name: caller });
      await act('knock', { room: 'desk', name: 'Élodie Marchand' });
      await dial(page, '01 99 00 12 31');
      await page.waitForSelector('#calls .line:has-text("ringing…")');
      await page.locator('#call-open').blur();
      await page.waitForTimeout(7000); // nothing is said any more
      for (const name of [caller, 'Élodie Marchand', 'Meeting room 4']) await act('hangup', { room: 'desk', name });
    },
  },
  {
    state: 'room, on a telephone, dark, in French',
    as: { ...narrow, ...dark, ...french },
    async play({ page, address, want }) {
      await join({ page, address });
      await page.waitForSelector(`${person(caller)}[data-speaking="true"]`);
      want((await text(page, '#people-count')).endsWith('personnes ici'), 'people are not counted in French');
    },
  },
  {
    state: 'room, the language changes during the call',
    as: phone,
    async play({ page, address, want }) {
      await join({ page, address });
      await page.click('[data-language="fr"]');
      want((await text(page, '#leave')) === 'Quitter', 'buttons do not change');
      want((await text(page, `${person(caller)} .detail`)) === 'téléphone', 'people do not change');
      want(await page.getAttribute('html', 'lang') === 'fr', 'the document does not change');
    },
  },
  {
    state: 'people come and go, and it is said',
    async play({ page, address, act, want }) {
      await join({ page, address });
      await page.waitForSelector(person('Ada Lovelace')); // who was there before is not said to join
      await act('phone', { room: 'board', name: 'Olu' });
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('Olu joined.'));
      await act('hangup', { room: 'board', name: 'Olu' });
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('Olu left.'));
      want(await page.getAttribute('#notice', 'aria-live') === 'polite', 'it is not said politely');
    },
  },
  {
    state: 'muted, by the key M, and speaking while the space bar is held',
    async play({ page, address, want }) {
      await join({ page, address });
      const sent = () => page.evaluate(() => /** @type {any} */ (window).passerelle.microphone.track.enabled);
      await page.keyboard.press('m');
      await page.waitForSelector(`${person('Ada Lovelace')}[data-muted="true"]`);
      want(!await sent(), 'M does not silence the microphone');
      await page.keyboard.down('Space');
      await page.waitForSelector(`${person('Ada Lovelace')}[data-muted="false"]`);
      want(await sent(), 'the space bar does not open the microphone');
      await page.keyboard.up('Space');
      await page.waitForSelector(`${person('Ada Lovelace')}[data-muted="true"]`);
      want(await page.getAttribute('#mute', 'aria-pressed') === 'true', 'the button does not say muted');
      await page.waitForSelector('#mute-hint[data-vain="true"]'); // the fake microphone beeps on
    },
  },
  {
    state: 'muted by a moderator, on a telephone',
    as: phone,
    async play({ page, address, act, want }) {
      await join({ page, address });
      await act('mute', { room: 'board', name: await page.evaluate(() => /** @type {any} */ (window).passerelle.id) });
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('You have been muted.'));
      want(!await page.evaluate(() => /** @type {any} */ (window).passerelle.microphone.track.enabled), 'the microphone is not silenced');
    },
  },
  {
    state: 'dialog, sound',
    as: dark,
    async play({ page, address, want }) {
      await join({ page, address });
      await page.click('#sound-open');
      const choices = await page.locator('#sound [data-microphones] option').count();
      want(choices > 1, `${choices} microphones to choose from`);
      const before = await page.evaluate(() => /** @type {any} */ (window).passerelle.microphone.track.id);
      await page.selectOption('#sound [data-microphones]', { index: choices - 1 });
      await page.waitForFunction((/** @type {string} */ id) => /** @type {any} */ (window).passerelle.microphone.track?.id !== id, before);
      const sent = await page.evaluate(() => {
        const { pc, microphone } = /** @type {any} */ (window).passerelle;
        return pc.getSenders().some((/** @type {any} */ s) => s.track === microphone.track);
      });
      want(sent, 'the chosen microphone is not what is sent');
      await page.keyboard.press('m');
      want(await page.getAttribute('#mute', 'aria-pressed') === 'false', 'M mutes behind a dialog');
    },
  },
  {
    state: 'dialog, invite',
    as: { ...narrow, ...french },
    async play({ page, address }) {
      await join({ page, address });
      await page.click('#invite-open');
      await page.waitForSelector('#invite[open] code');
    },
  },
  {
    state: 'reconnecting',
    noise: gone,
    async play({ page, address, act, want }) {
      await join({ page, address });
      await act('cut');
      await at(page, 'reconnecting');
      await page.waitForTimeout(1200);
      want((await text(page, '#banner-text')).startsWith('The connection is lost.'), 'no words for what is wrong');
      await act('mend');
    },
  },
  {
    state: 'reconnecting, and back on the same seat with sound',
    as: { ...phone, ...dark },
    noise: gone,
    async play({ page, address, act, want }) {
      await join({ page, address });
      const id = await page.evaluate(() => /** @type {any} */ (window).passerelle.id);
      await page.click('#mute');
      await act('cut');
      await at(page, 'reconnecting');
      await act('mend');
      await at(page, 'good');
      want(await page.evaluate(() => /** @type {any} */ (window).passerelle.id) === id, 'it is another seat');
      want(await page.isHidden('#banner'), 'the banner stays');
      await page.waitForSelector(`${person('Ada Lovelace')}[data-muted="true"]`); // as before
      want(await hear(page), 'the sound has not come back');
      want(await plays(page), 'a slot does not play');
      await page.click('#mute');
      await page.waitForSelector(`${person('Ada Lovelace')}[data-speaking="true"]`); // heard again
    },
  },
  {
    state: 'no network',
    noise: /WebSocket connection to|ERR_INTERNET_DISCONNECTED/,
    async play({ page, address, context, want }) {
      await join({ page, address });
      await context.setOffline(true);
      await at(page, 'reconnecting');
      want((await text(page, '#banner-text')) === 'Your device has no network. You will be back as soon as it has.', 'no words for it');
      await context.setOffline(false);
      await at(page, 'good');
      await context.setOffline(true);
      await at(page, 'reconnecting');
    },
  },
  {
    state: 'the server cannot be reached from the lobby',
    noise: gone,
    async play({ page, address, act, want }) {
      await page.goto(`${address}/board`);
      await page.fill('#name', 'Ada');
      await page.waitForSelector('#microphone[data-state="on"]');
      await act('cut');
      await page.click('#join');
      await page.waitForFunction(() => document.querySelector('#lobby-error')?.textContent === 'The server cannot be reached. Please try again.');
      await act('mend');
      want(await page.isEnabled('#join'), 'joining cannot be tried again');
    },
  },
  {
    state: 'left',
    as: french,
    async play({ page, address, want }) {
      await join({ page, address });
      await page.click('#leave');
      await page.waitForSelector('html[data-view="end"]');
      want((await text(page, '#end-title')) === 'Vous avez quitté la salle', 'no words for it');
      await page.click('#rejoin');
      await page.waitForSelector('#microphone[data-state="on"]');
      await page.click('#join');
      await at(page, 'good');
      await page.click('#leave');
    },
  },
  {
    state: 'removed',
    async play({ page, address, act, want }) {
      await join({ page, address });
      await act('remove', { room: 'board', name: await page.evaluate(() => /** @type {any} */ (window).passerelle.id) });
      await page.waitForSelector('html[data-view="end"]');
      want((await text(page, '#end-title')) === 'You were removed from the room', 'no words for it');
    },
  },
  {
    state: 'lobby of a waiting room, and a wrong password of moderators',
    async play({ page, address, want }) {
      await page.goto(`${address}/council`);
      await page.waitForFunction(() => document.querySelector('#join')?.textContent === 'Ask to join');
      await page.fill('#name', 'Ada Lovelace');
      await page.click('#moderator-field summary');
      await page.fill('#moderator', 'swordfish');
      want(await page.isHidden('#password-field'), 'a moderator is asked for two passwords');
      want((await text(page, '#join')) === 'Join', 'a moderator is told to ask');
      await page.click('#join');
      await page.waitForSelector('#moderator-error:not(:empty)');
      want(await page.evaluate(() => document.activeElement?.id) === 'moderator', 'the password has no focus');
    },
  },
  {
    state: 'lobby, with a moderator’s link, on a telephone, in French',
    as: { ...phone, ...french },
    async play({ page, address, want }) {
      await page.goto(`${address}/council#moderator=gavel%20%26%20co`);
      await page.fill('#name', 'Ada Lovelace');
      await page.waitForSelector('#moderator-known', { state: 'visible' });
      await page.waitForSelector('#microphone[data-state="on"]');
      want(new URL(page.url()).hash === '', 'the password stays in the address');
      await page.reload();
      await page.waitForSelector('#moderator-known', { state: 'visible' }); // a page that is loaded anew
      await page.waitForSelector('#microphone[data-state="on"]');
    },
  },
  {
    state: 'waiting room',
    async play({ page, address, want }) {
      await knock({ page, address });
      want(await page.evaluate(() => document.activeElement?.id) === 'waiting-title', 'the heading has no focus');
      want((await page.title()).startsWith('Waiting · council'), 'the title does not say it');
      want((await text(page, '#waiting-text')).includes('Grace Hopper'), 'it does not say who waits');
    },
  },
  {
    state: 'waiting room, on a telephone, dark, in French',
    as: { ...narrow, ...dark, ...french },
    async play({ page, address, want }) {
      await knock({ page, address });
      await page.click('#waiting-stop');
      await page.waitForSelector('html[data-view="lobby"]');
      want(await page.isEnabled('#join'), 'who stopped waiting cannot ask again');
      await page.waitForSelector('#microphone[data-state="on"]');
      await page.click('#join');
      await page.waitForSelector('html[data-view="waiting"]');
    },
  },
  {
    state: 'waiting room, and nobody opens',
    as: phone,
    async play({ page, address, want }) {
      await page.goto(`${address}/quick`);
      await page.fill('#name', 'Grace Hopper');
      await page.waitForSelector('#microphone[data-state="on"]');
      await page.click('#join');
      await page.waitForSelector('html[data-view="end"]');
      want((await text(page, '#end-title')) === 'Nobody has opened', 'no words for it');
    },
  },
  {
    state: 'a moderator declines one and admits another, who is heard',
    async play({ page, address, act, context, want }) {
      const guest = await context.newPage();
      await knock({ page: guest, address });
      await host({ page, address });
      const row = (/** @type {string} */ name) => page.locator(`#knocks .line:has(.name:text-is("${name}"))`);
      await act('knock', { room: 'council', name: caller });
      await row(caller).getByRole('button', { name: `Decline ${caller}` }).click();
      await row(caller).waitFor({ state: 'detached' });
      await row('Grace Hopper').getByRole('button', { name: 'Admit Grace Hopper' }).focus();
      await page.keyboard.press('Enter');
      await page.waitForSelector(`${person('Grace Hopper')}[data-speaking="true"]`); // her fake microphone beeps
      want(await page.evaluate(() => document.activeElement?.id) === 'room-title', 'the focus is lost with the button');
      want(await page.isHidden('#desk'), 'an empty waiting room is shown');
      await guest.waitForSelector('html[data-state="in"]');
      want(await guest.evaluate(() => document.activeElement?.id) === 'room-title', 'who was let in is not told so');
      want(await guest.isHidden('#moderation') && await guest.locator('.more:visible').count() === 0, 'a guest may moderate');
      const other = await context.newPage();
      await knock({ page: other, address, name: 'Eve' });
      await page.bringToFront();
      await row('Eve').getByRole('button', { name: 'Decline Eve' }).click();
      await other.waitForSelector('html[data-view="end"]');
      want((await text(other, '#end-title')) === 'You were not let in', 'no words for who is declined');
    },
  },
  {
    state: 'declined, in French',
    as: { ...french, ...dark },
    async play({ page, address, context, want }) {
      const moderator = await context.newPage();
      await host({ page: moderator, address });
      await knock({ page, address });
      await moderator.getByRole('button', { name: 'Refuser Grace Hopper' }).click();
      await page.waitForSelector('html[data-view="end"]');
      want((await text(page, '#end-title')) === 'L’accès vous a été refusé', 'no words for it');
      await page.bringToFront();
    },
  },
  {
    state: 'a moderator, and three who knock',
    async play({ page, address, act, want }) {
      await host({ page, address });
      await knocks({ page, act });
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('Asking to join:'));
      want((await page.title()).startsWith('(3) council'), 'the title does not say how many');
      want((await text(page, '#door-title')) === '3 waiting', 'they are not counted');
      await page.waitForTimeout(6500);
    },
  },
  {
    state: 'a moderator, and three who knock, dark',
    as: dark,
    async play({ page, address, act }) {
      await act('silent', { room: 'council', name: 'Meeting room 4' });
      await host({ page, address });
      await knocks({ page, act });
      await page.waitForTimeout(6500);
      await page.waitForSelector(person('Meeting room 4'));
    },
  },
  {
    state: 'a moderator, and three who knock, on a telephone, dark, in French',
    as: { ...phone, ...dark, ...french },
    async play({ page, address, act, want }) {
      await host({ page, address });
      await knocks({ page, act });
      want((await text(page, '#door-title')) === '3 en attente', 'they are not counted');
      await page.waitForTimeout(6500);
    },
  },
  {
    state: 'a moderator, and one who knocks, on the smallest telephone',
    as: narrow,
    async play({ page, address, act }) {
      await host({ page, address });
      await act('knock', { room: 'council', name: caller });
      await page.waitForSelector('#knocks .line');
    },
  },
  {
    state: 'a moderator admits all',
    async play({ page, address, act, want }) {
      await host({ page, address });
      await knocks({ page, act });
      await page.click('#admit-all');
      for (const name of guests) await page.waitForSelector(person(name));
      want(await page.isHidden('#desk'), 'an empty waiting room is shown');
      for (const name of guests) await act('hangup', { room: 'council', name });
    },
  },
  {
    state: 'hands are raised, and what a moderator can do about one',
    async play({ page, address, act, context, want }) {
      await act('silent', { room: 'council', name: 'Meeting room 4' });
      await host({ page, address });
      const other = await context.newPage();
      await host({ page: other, address, name: 'Grace Hopper' });
      await other.click('#hand');
      await page.waitForSelector(`${person('Grace Hopper')} .raised`, { state: 'visible' });
      await act('hand', { room: 'council', name: 'Meeting room 4' });
      await page.bringToFront();
      await page.waitForSelector(`${person('Meeting room 4')}[data-hand="true"] .raised:has-text("2")`);
      await page.getByRole('button', { name: 'Moderate Grace Hopper' }).click();
      await page.click('#person-lower');
      await other.waitForSelector('#hand[aria-pressed="false"]');
      await page.waitForSelector(`${person('Meeting room 4')} .raised:not(:has-text("1"))`);
      await page.waitForTimeout(6000);
      await page.getByRole('button', { name: 'Moderate Meeting room 4' }).click();
      await page.waitForSelector('#person[open]');
      want(await page.isVisible('#person-unmute') && await page.isHidden('#person-mute'), 'the wrong things are offered');
    },
  },
  {
    state: 'what a moderator can do about one, on a telephone, in French',
    as: { ...phone, ...french },
    async play({ page, address, want }) {
      await host({ page, address });
      await page.getByRole('button', { name: 'Modérer Meeting room 4' }).click();
      await page.waitForSelector('#person[open]');
      want(await page.isVisible('#person-lower'), 'a raised hand cannot be lowered');
    },
  },
  {
    state: 'a moderator removes a phone, and thinks twice',
    as: dark,
    async play({ page, address, want }) {
      await host({ page, address });
      const more = page.getByRole('button', { name: 'Moderate Meeting room 4' });
      await more.click();
      await page.click('#person-remove');
      want(await page.evaluate(() => document.activeElement?.id) === 'person-keep', 'what is safe has no focus');
      await page.keyboard.press('Escape');
      await more.click();
      want(await page.isHidden('#person-sure'), 'the question is still there');
      await page.click('#person-remove');
    },
  },
  {
    state: 'all are muted, and one asks to speak',
    async play({ page, address, act, context, want }) {
      const moderator = await context.newPage();
      await host({ page: moderator, address });
      await knock({ page, address });
      await moderator.bringToFront();
      await moderator.getByRole('button', { name: 'Admit Grace Hopper' }).click();
      await page.waitForSelector('html[data-state="in"]');
      await moderator.click('#mute-all');
      await page.bringToFront();
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('Raise your hand to ask to speak.'));
      await page.click('#mute');
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('Only a moderator can let you speak again.'));
      want(!await page.evaluate(() => /** @type {any} */ (window).passerelle.microphone.track.enabled), 'who is kept muted speaks');
      await page.click('#hand');
      await page.waitForSelector(`${person('Grace Hopper')}[data-hand="true"]`);
      want(await moderator.isHidden(`${person('Ada Lovelace')} .badge`), 'the moderator is muted too');
      await act('hangup', { room: 'council', name: 'Meeting room 4' });
    },
  },
  {
    state: 'a number to call',
    async play({ page, address, want }) {
      await host({ page, address, room: 'desk' });
      await page.click('#call-open');
      want(await page.evaluate(() => document.activeElement?.id) === 'call-number', 'the number has no focus');
      await page.keyboard.press('Enter');
      want((await text(page, '#call-error')) === 'Please type a number.', 'no words for no number');
      await page.keyboard.type('+33 1 99 00 12 ');
      for (const key of ['3', '9']) await page.click(`[data-key="${key}"]`);
      await page.click('#call-erase');
      await page.click('[data-key="4"]');
      want(await page.inputValue('#call-number') === '+33 1 99 00 12 34', `the number is ${await page.inputValue('#call-number')}`);
      want((await text(page, '#call-error')) === '', 'the complaint stays');
    },
  },
  {
    state: 'a number to call, on a telephone, dark, in French',
    as: { ...narrow, ...dark, ...french },
    async play({ page, address }) {
      await host({ page, address, room: 'desk' });
      await page.click('#call-open');
      await page.fill('#call-number', '01 99 00 12 34');
    },
  },
  {
    state: 'calls that ring, that fail, and that are answered',
    async play({ page, address, act, want }) {
      await host({ page, address, room: 'desk' });
      await dial(page, '01 99 00 12 31');
      await page.waitForSelector('#calls .line:has-text("ringing…")');
      await dial(page, '01 99 00 12 30');
      await page.waitForSelector('#calls .line[data-alarm="true"]:has-text("is busy")');
      await dial(page, '01 99 00 12 32');
      await page.waitForSelector(person('01 99 00 12 32'));
      want(await page.locator('#calls .line').count() === 2, 'who has answered is still being called');
      await page.waitForFunction(() => document.querySelector('#notice')?.textContent?.includes('is busy'));
      await page.getByRole('button', { name: 'Hang up on 01 99 00 12 31' }).click();
      await page.locator('#calls .line:has-text("ringing…")').waitFor({ state: 'detached' });
      await dial(page, '01 99 00 12 41');
      await page.waitForSelector('#calls .line:has-text("ringing…")');
      await act('hangup', { room: 'desk', name: '01 99 00 12 32' });
    },
  },
  {
    state: 'calls, on a telephone, in French',
    as: { ...phone, ...french },
    async play({ page, address }) {
      await host({ page, address, room: 'desk' });
      await dial(page, '01 99 00 12 31');
      await page.waitForSelector('#calls .line:has-text("ça sonne…")');
    },
  },
  {
    state: 'too old',
    async play({ page, address }) {
      await page.addInitScript(() => { delete /** @type {any} */ (window).RTCPeerConnection; });
      await page.goto(`${address}/board`);
      await page.waitForSelector('#view-old', { state: 'visible' });
    },
  },
  {
    state: 'too old for modules',
    as: french,
    noise: /ERR_FAILED|Failed to fetch/,
    async play({ page, address }) {
      await page.route('**/main.js', (/** @type {any} */ route) => route.abort());
      await page.goto(`${address}/board`);
      await page.waitForSelector('#view-old', { state: 'visible' });
    },
  },
  {
    state: 'microphone in use elsewhere',
    as: { ...phone, ...dark },
    async play({ page, address, want }) {
      await page.addInitScript(() => {
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('busy', 'NotReadableError'); };
      });
      await page.goto(`${address}/board`);
      await page.waitForSelector('#microphone[data-state="trouble"]');
      want((await text(page, '#trouble-title')) === 'The microphone is in use', 'no words for it');
    },
  },
  {
    state: 'not secure, and listening all the same',
    async play({ page, address, want }) {
      await page.goto(`${address.replace('127.0.0.1', 'rooms.example')}/board`);
      await page.waitForSelector('#microphone[data-state="trouble"]');
      want((await text(page, '#trouble-title')) === 'No microphone at this address', 'no words for it');
      want((await text(page, '#join')) === 'Join and only listen', 'the button promises a voice');
    },
  },
  {
    state: 'microphone not asked for yet',
    browser: 'refusing',
    as: phone,
    async play({ page, address }) {
      await page.goto(`${address}/board`);
      await page.waitForSelector('#microphone-on', { state: 'visible' });
    },
  },
  {
    state: 'microphone refused',
    browser: 'refusing',
    async play({ page, address, want }) {
      await page.goto(`${address}/board`);
      await page.fill('#name', 'Ada');
      await page.click('#join');
      await page.waitForSelector('#microphone[data-state="trouble"]');
      want((await text(page, '#join')) === 'Join and only listen', 'the button promises a voice');
    },
  },
  {
    state: 'no microphone, and listening',
    browser: 'deaf',
    as: french,
    async play({ page, address, want }) {
      await page.goto(`${address}/board`);
      await page.waitForSelector('#microphone[data-state="trouble"]');
      want((await text(page, '#trouble-title')) === 'Aucun microphone', 'no words for it');
      await join({ page, address });
      await page.waitForSelector('.person[data-self="true"][data-muted="true"]');
      want(await hear(page), 'a listener hears nothing');
      want((await text(page, '.person[data-self="true"] .detail')) === 'vous · écoute', 'a listener is not called so');
    },
  },
  {
    state: 'the server restarts',
    browser: 'deaf', // the last: the house is closed
    async play({ page, address, act, want }) {
      await join({ page, address });
      await act('end');
      await page.waitForSelector('html[data-view="end"]');
      want((await text(page, '#end-title')) === 'The server is restarting', 'no words for it');
    },
  },
];
