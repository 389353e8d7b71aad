// Being in a room, over connections that are lost: the real session on connections of ours.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Session } from '../assets/session.js';
import { delay, next } from '../assets/states.js';
import { Clock } from './clock.js';

/** A connection that does what the test says. */
class Fake extends EventTarget {
  /** @param {any} hello */
  constructor(hello) {
    super();
    this.hello = hello;
    /** @type {any[]} */
    this.sent = [];
    this.closed = false;
    this.healthy = false;
    this.peer = { up: false, slots: [], pc: {} };
  }

  send(/** @type {any} */ message) { this.sent.push(message); }
  close() { this.closed = true; }
  async setTrack() {}
  say(/** @type {string} */ type, /** @type {any} */ detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  joined(muted = false) { this.say('joined', { id: 'b1', resume: 'r1', muted }); }
}

/** A session that has joined, its connections, and the states that it went through. */
function joined({ muted = false } = {}) {
  /** @type {Fake[]} */
  const made = [];
  const session = new Session('board', {
    connect: (hello) => {
      made.push(new Fake(hello));
      return /** @type {any} */ (made[made.length - 1]);
    },
    random: () => 0.5,
  });
  /** @type {string[]} */
  const states = [];
  session.addEventListener('state', (e) => states.push(/** @type {any} */ (e).detail.state));
  session.join({ name: 'Ada', password: 'x', track: null, muted });
  made[0].joined(muted);
  return { session, made, states };
}

test('the table: what is not in it changes nothing', () => {
  assert.equal(next('idle', 'join'), 'joining');
  assert.equal(next('ended', 'joined'), null);
  assert.equal(next('in', 'retry'), null);
  for (const state of /** @type {const} */ (['joining', 'in', 'waiting', 'rejoining'])) {
    assert.equal(next(state, 'leave'), 'ended', state);
    assert.equal(next(state, 'ended'), 'ended', state);
  }
});

test('the delays double up to 15 s, and are spread', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 99].map((n) => delay(n, 0.5)),
    [400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
  assert.equal(delay(0, 0), 300);
  assert.equal(delay(99, 1), 18750);
});

test('lost, and back on the same seat', () => {
  const clock = new Clock();
  const { session, made, states } = joined();
  made[0].say('lost', 'socket');
  assert.equal(session.state, 'waiting');
  assert.equal(made[0].closed, false, 'the old connection sounds on');
  clock.tick(400);
  assert.equal(made.length, 2);
  assert.deepEqual(made[1].hello, { name: 'Ada', password: 'x', moderator: '', resume: 'r1', muted: false });
  made[1].joined();
  assert.equal(made[0].closed, true);
  assert.deepEqual(states, ['joining', 'in', 'waiting', 'rejoining', 'in']);
  clock.stop();
});

test('attempts that fail come slower, and sound that flows makes them quick again', () => {
  const clock = new Clock();
  const { made, session } = joined();
  made[0].say('lost', 'socket');
  for (const [i, wait] of [400, 800, 1600].entries()) {
    clock.tick(wait - 1);
    assert.equal(made.length, i + 1);
    clock.tick(1);
    assert.equal(made.length, i + 2);
    made[i + 1].say('failed', 'socket');
  }
  session.hurry();
  assert.equal(made.length, 5);
  made[4].joined();
  made[4].peer.up = true;
  made[4].say('up');
  made[4].say('lost', 'media');
  clock.tick(400);
  assert.equal(made.length, 6);
  clock.stop();
});

test('a connection that mends itself is kept', () => {
  const clock = new Clock();
  const { made, session } = joined();
  made[0].say('lost', 'media');
  made[0].peer.up = made[0].healthy = true;
  made[0].say('up');
  assert.equal(session.state, 'in');
  clock.tick(60_000);
  assert.equal(made.length, 1);
  clock.stop();
});

test('the server replaces the old connection before the new one is told', () => {
  const clock = new Clock();
  const { made, session } = joined();
  made[0].say('lost', 'media');
  clock.tick(400);
  made[0].say('ended', { reason: 'replaced' });
  assert.equal(session.state, 'rejoining');
  made[1].joined();
  assert.equal(session.state, 'in');
  made[1].say('ended', { reason: 'replaced' });
  assert.equal(session.state, 'ended', 'by another window');
  assert.equal(made[1].closed, true);
  clock.stop();
});

test('muted comes back muted; a mute pressed while joining is told', () => {
  const clock = new Clock();
  const { made, session } = joined({ muted: true });
  assert.deepEqual(made[0].sent, []);
  made[0].say('lost', 'socket');
  clock.tick(400);
  assert.equal(made[1].hello.muted, true);
  session.setMuted(false);
  made[1].joined(true);
  assert.deepEqual(made[1].sent, [{ type: 'mute', muted: false }]);
  clock.stop();
});

test('a refusal leads to the lobby at first, to the end later', () => {
  const clock = new Clock();
  /** @type {Fake[]} */
  const made = [];
  const first = new Session('board', {
    connect: (hello) => /** @type {any} */ (made[made.push(new Fake(hello)) - 1]),
  });
  first.join({ name: 'Ada', password: 'no', track: null, muted: false });
  made[0].say('refused', { code: 'password' });
  assert.equal(first.state, 'idle');
  const { made: later, session } = joined();
  later[0].say('lost', 'socket');
  clock.tick(400);
  later[1].say('refused', { code: 'full' });
  assert.equal(session.state, 'ended');
  clock.stop();
});

test('after leaving nothing is tried any more', () => {
  const clock = new Clock();
  const { made, session } = joined();
  made[0].say('lost', 'socket');
  session.leave();
  clock.tick(60_000);
  assert.equal(session.state, 'ended');
  assert.equal(made.length, 1);
  assert.equal(made[0].closed, true);
  clock.stop();
});

test('who knocks waits through lost connections, and is let in', () => {
  const clock = new Clock();
  /** @type {Fake[]} */
  const made = [];
  const session = new Session('board', {
    connect: (hello) => /** @type {any} */ (made[made.push(new Fake(hello)) - 1]), random: () => 0.5,
  });
  session.join({ name: 'Ada', password: '', track: null, muted: false });
  made[0].say('waiting', { seconds: 600 });
  assert.equal(session.state, 'knocking');
  made[0].say('failed', 'socket');
  assert.equal(session.state, 'knocking');
  clock.tick(400);
  assert.equal(made.length, 2, 'nothing is tried again');
  made[1].say('waiting', { seconds: 600 });
  made[1].joined();
  assert.equal(session.state, 'in');
  clock.stop();
});

test('who knocks may be declined, and may go', () => {
  for (const how of ['declined', 'left']) {
    /** @type {Fake[]} */
    const made = [];
    const session = new Session('board', { connect: (hello) => /** @type {any} */ (made[made.push(new Fake(hello)) - 1]) });
    /** @type {string[]} */
    const whys = [];
    session.addEventListener('state', (e) => whys.push(/** @type {any} */ (e).detail.why));
    session.join({ name: 'Ada', password: '', track: null, muted: false });
    made[0].say('waiting', { seconds: 600 });
    if (how === 'left') session.leave();
    else made[0].say('refused', { code: 'declined' });
    assert.equal(session.state, 'ended');
    assert.equal(whys.at(-1), how);
    assert.deepEqual(made[0].sent, how === 'left' ? [{ type: 'leave' }] : []);
  }
});
