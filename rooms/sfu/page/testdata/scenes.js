// The states of the page, and how to get there.

import { dark, french, narrow, phone } from './browser.js';
import { at, caller, gone, hear, join, person, plays, text } from './steps.js';

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
