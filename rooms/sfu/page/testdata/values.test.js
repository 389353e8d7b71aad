// What the page decides without a document: names, words, people, levels, quality, SDP.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choose } from '../assets/language.js';
import { callOver, callWords } from '../assets/desk.js';
import { errorKey, passwordOf } from '../assets/lobby.js';
import { loudness } from '../assets/meter.js';
import { trouble } from '../assets/microphone.js';
import { preferSilence } from '../assets/peer.js';
import { brightness, compare, initials, order } from '../assets/people.js';
import { counters, judge } from '../assets/quality.js';
import { roomName, roomOf, validRoom } from '../assets/start.js';
import { columns } from '../assets/tiles.js';
import { english } from '../assets/words.en.js';
import { french } from '../assets/words.fr.js';

/** @param {any} entry */
const forms = (entry) => (typeof entry === 'string' ? [entry] : [entry.one, entry.other]);
/** @param {string} text */
const blanks = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort().join();

test('both languages say the same things, with the same blanks', () => {
  assert.deepEqual(Object.keys(french), Object.keys(english));
  for (const [key, entry] of Object.entries(english)) {
    const other = /** @type {any} */ (french)[key];
    assert.equal(typeof other, typeof entry, key);
    for (const text of [...forms(entry), ...forms(other)]) {
      assert.ok(text.trim(), key);
      assert.equal(blanks(text), blanks(forms(entry)[0]), key);
    }
  }
});

test('French has no breaking space before double punctuation, and no straight apostrophe', () => {
  for (const [key, entry] of Object.entries(french)) {
    for (const text of forms(entry)) assert.doesNotMatch(text, / [:;?!]|'/, key);
  }
});

test('the language: the address first, then what was chosen before, then the browser', () => {
  assert.equal(choose('?lang=fr', 'en', ['en']), 'fr');
  assert.equal(choose('', 'fr', ['en']), 'fr');
  assert.equal(choose('', '', ['fr-CA', 'en']), 'fr');
  assert.equal(choose('?lang=xx', '', ['de', 'en-GB', 'fr']), 'en');
  assert.equal(choose('', '', ['de']), 'en');
});

test('every refusal of the server has words', () => {
  for (const code of ['password', 'tries', 'full', 'room', 'name', 'version', 'media', 'message', 'moderator', 'declined', 'unanswered', 'socket', 'time', '']) {
    assert.ok(english[/** @type {keyof typeof english} */ (errorKey(code))], code);
  }
});

test('every state of a call out has words, and is over or not', () => {
  for (const state of ['calling', 'ringing', 'asked', 'busy', 'unanswered', 'declined', 'unknown', 'unreachable', 'forbidden', 'limited', 'failed', 'newer']) {
    assert.ok(english[callWords(state)], state);
    assert.equal(callOver(state), !/^(calling|ringing|asked)$/.test(state), state);
  }
});

test('the moderator’s password of a link', () => {
  assert.equal(passwordOf('#moderator=gavel%20%26%20co'), 'gavel & co');
  assert.equal(passwordOf('#x=1&moderator=a+b'), 'a+b');
  assert.equal(passwordOf('#moderator=100%'), '100%');
  assert.equal(passwordOf('#moderators=x'), '');
  assert.equal(passwordOf(''), '');
});

test('a room’s name: the same rule as in page.go', () => {
  for (const good of ['board', '0042117', '+33123456789', 'team_a-1.2', 'réunion-会議', 're\u0301union', 'é'.repeat(64)]) {
    assert.ok(validRoom(good), good);
  }
  for (const bad of ['', '-', '.well-known', '_', '\u0301a', 'a b', 'a/b', '<b>', 'a\nb', 'a\u202eb', 'é'.repeat(65)]) {
    assert.ok(!validRoom(bad), JSON.stringify(bad));
  }
  assert.equal(roomName('  the  board room '), 'the-board-room');
  assert.equal(roomOf('/'), '');
  assert.equal(roomOf('/r%C3%A9union'), 'réunion');
  assert.equal(roomOf('/a/b'), null);
  assert.equal(roomOf('/%'), null);
});

test('two rosters: who came, who went, who fell silent', () => {
  const p = (/** @type {string} */ id, muted = false) => ({ id, name: id, kind: /** @type {const} */ ('browser'), muted });
  const c = compare([p('a'), p('b'), p('c', true)], [{ ...p('b', true), hand: 1 }, p('c'), p('d')]);
  assert.deepEqual(Object.fromEntries(Object.entries(c).map(([k, v]) => [k, v.map((x) => x.id).join()])),
    { joined: 'd', left: 'a', muted: 'b', unmuted: 'c', raised: 'b' });
  assert.equal(order([p('a'), p('b'), p('c')], 'b').map((x) => x.id).join(''), 'bac');
});

test('a person in letters', () => {
  for (const [name, want] of [['Ada Lovelace', 'AL'], ['ada', 'A'], ['Jean-Baptiste de La Salle', 'JS'],
    ['(Ada) [guest]', 'AG'], ['Élodie', 'É'], ['李娜', '李'], ['+33 1', '31'], ['😀', ''], ['', '']]) {
    assert.equal(initials(name), want, name);
  }
});

test('a light: dark in silence, bright in speech, never more than full', () => {
  assert.equal(brightness(127), 0);
  assert.equal(brightness(undefined), 0);
  assert.equal(brightness(60), 0);
  assert.ok(brightness(59) > 0.2);
  assert.ok(brightness(30) > brightness(45));
  assert.equal(brightness(0), 1);
});

test('the meter: nothing, something, everything', () => {
  assert.equal(loudness(new Float32Array(1024)), 0);
  assert.equal(loudness(new Float32Array(1024).fill(1)), 1);
  const speech = loudness(new Float32Array(1024).fill(0.05)); // -26 dBFS
  assert.ok(speech > 0.6 && speech < 0.8, String(speech));
});

test('rows of tiles are about equally long', () => {
  assert.deepEqual([1, 2, 4, 5, 6, 7, 9, 12, 16].map(columns), [1, 2, 4, 5, 3, 4, 5, 4, 4]);
});

test('why there is no microphone', () => {
  const named = (/** @type {string} */ name) => Object.assign(new Error(), { name });
  assert.equal(trouble(named('NotAllowedError'), 'denied'), 'refused');
  assert.equal(trouble(named('NotAllowedError'), 'unknown'), 'refused');
  assert.equal(trouble(named('NotAllowedError'), 'prompt'), 'dismissed');
  assert.equal(trouble(named('NotFoundError'), 'granted'), 'absent');
  assert.equal(trouble(named('NotReadableError'), 'granted'), 'busy');
  assert.equal(trouble(named('TypeError'), 'granted'), 'failed');
  assert.equal(trouble('what', 'granted'), 'failed');
});

test('the connection is weak when packets are lost either way, or are slow', () => {
  const none = { received: 0, lost: 0, theirLoss: 0, roundTrip: 0 };
  assert.equal(judge(none, { ...none, received: 100 }), 'good');
  assert.equal(judge(none, { ...none, received: 90, lost: 10 }), 'weak');
  assert.equal(judge(none, { ...none, received: 1, lost: 1 }), 'good', 'two packets say nothing');
  assert.equal(judge(none, { ...none, theirLoss: 0.2 }), 'weak');
  assert.equal(judge(none, { ...none, roundTrip: 0.8 }), 'weak');
  const report = new Map(Object.entries({
    a: { type: 'inbound-rtp', packetsReceived: 5, packetsLost: 1 },
    b: { type: 'inbound-rtp', packetsReceived: 7, packetsLost: 0 },
    c: { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
    d: { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.02 },
  }));
  assert.deepEqual(counters(/** @type {any} */ (report)), { received: 12, lost: 1, theirLoss: 0, roundTrip: 0.02 });
});

test('the offer asks for silence to be silent, in every section', () => {
  const section = 'a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n';
  const got = preferSilence(`v=0\r\n${section}${section}a=fmtp:63 111/111\r\n`);
  assert.equal(got.match(/a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=0\r\n/g)?.length, 2);
  assert.match(got, /a=fmtp:63 111\/111\r\n/);
  assert.equal(preferSilence('v=0\r\n'), 'v=0\r\n');
});
