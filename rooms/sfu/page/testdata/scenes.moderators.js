// The states of a room with moderators and a waiting room, and how to get there.

import { dark, french, narrow, phone } from './browser.js';
import { at, caller, join, person, text } from './steps.js';

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

const guests = [caller, 'Nadia Benali', 'Élodie Marchand-Deschamps'];

/** Waits until nothing is said any more, where pictures are taken. */
const settle = (/** @type {any} */ page) => page.waitForTimeout(process.env.PASSERELLE_SHOTS ? 6500 : 0);

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

/** @type {import('./scenes.js').Scene[]} */
export const states = [
  {
    state: 'picture of a moderator',
    picture: true,
    as: { viewport: { width: 1120, height: 800 }, reducedMotion: 'no-preference' },
    async play({ page, address, act, context }) {
      await act('silent', { room: 'cabinet', name: 'Meeting room 4' });
      await host({ page, address, room: 'cabinet' });
      const other = await context.newPage();
      await host({ page: other, address, room: 'cabinet', name: 'Grace Hopper' });
      await other.keyboard.press('m');
      await page.bringToFront();
      await act('hand', { room: 'cabinet', name: 'Meeting room 4' });
      await act('knock', { room: 'cabinet', name: caller });
      await act('knock', { room: 'cabinet', name: 'Élodie Marchand' });
      await dial(page, '01 99 00 12 31');
      await page.waitForSelector('#calls .line:has-text("ringing…")');
      await page.locator('#call-open').blur();
      await page.mouse.move(20, 400);
      await page.waitForTimeout(8000); // nothing is said any more
      await page.waitForSelector('.person[data-self="true"][data-speaking="true"]');
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
      want((await text(page, '#rejoin')) === 'Ask again', 'it is not said that one can ask again');
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
      await settle(page);
    },
  },
  {
    state: 'a moderator, and three who knock, dark',
    as: dark,
    picture: true,
    async play({ page, address, act }) {
      await act('silent', { room: 'council', name: 'Meeting room 4' });
      await host({ page, address });
      await knocks({ page, act });
      await settle(page);
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
      await settle(page);
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
      await settle(page);
      await page.getByRole('button', { name: 'Moderate Meeting room 4' }).click();
      await page.waitForSelector('#person[open]');
      want(await page.isVisible('#person-unmute') && await page.isHidden('#person-mute'), 'the wrong things are offered');
    },
  },
  {
    state: 'what a moderator can do about one, on a telephone, in French',
    picture: true,
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
    picture: true,
    as: { ...phone, ...french },
    async play({ page, address }) {
      await host({ page, address, room: 'desk' });
      await dial(page, '01 99 00 12 31');
      await page.waitForSelector('#calls .line:has-text("ça sonne…")');
    },
  },
];
