// Being in a room, across as many connections as it takes. The table is in states.js; what each step
// does is here. A lost connection is replaced by a new one that resumes the same seat, and the old one
// goes on sounding until then.

import { Connection, socketAddress } from './connection.js';
import { on } from './dom.js';
import { delay, next } from './states.js';

/** @typedef {import('./states.js').State} State */
/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {'browser'|'phone'|'agent'} kind
 * @property {boolean} muted
 * @property {number} [hand] is raised: 1 was the first to ask
 * @property {boolean} [moderator]
 * @property {boolean} [calling] is being called, and has not come yet
 * @property {boolean} [lost] the connection is; the server keeps the place for a while
 */

/**
 * @typedef {object} Desk what moderators see
 * @property {{id: string, name: string, kind: 'browser'|'phone', seconds: number}[]} knocks
 * @property {{id: string, number: string, state: string}[]} calls
 * @property {boolean} dial calls out are allowed
 */

/**
 * Dispatches "state" {state, before, happening, why}, "roster" (people), "levels" ({id: -dBov}), "muted" (boolean: the
 * server asks), "slots" (tracks to play), "media" ('up'|'shaky'), "room" (what it asks for), "desk", and "problem" (code of an act
 * that the server refuses).
 */
export class Session extends EventTarget {
  /** @type {State} */
  state = 'idle';
  id = '';
  /** @type {Person[]} */
  people = [];
  moderator = false;
  held = false; // muted by a moderator, who alone may change it
  #room;
  #connect;
  #random;
  #hello = { name: '', password: '', moderator: '', resume: '' };
  #muted = false;
  /** @type {MediaStreamTrack|null} */
  #track = null;
  /** @type {Connection|null} */
  #current = null;
  /** @type {Connection|null} */
  #coming = null;
  #attempts = 0;
  /** When the next attempt is made, on performance.now()'s clock. */
  retryAt = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {string} room
   * @param {{connect?: (hello: any, track: any) => Connection, random?: () => number}} [fakes] for tests
   */
  constructor(room, { connect, random = Math.random } = {}) {
    super();
    this.#room = room;
    this.#connect = connect ?? ((hello, track) => new Connection(socketAddress(this.#room), hello, track));
    this.#random = random;
  }

  /** @returns {RTCPeerConnection|null} */
  get pc() {
    return this.#current?.peer?.pc ?? null;
  }

  /** @returns {boolean} whether sound flows now */
  get mediaUp() {
    return this.#current?.peer?.up ?? false;
  }

  /** @returns {{mid: string|null, track: MediaStreamTrack}[]} */
  get slots() {
    return this.#current?.peer?.slots ?? [];
  }

  /**
   * @param {{name: string, password: string, moderator?: string, track: MediaStreamTrack|null, muted: boolean}} who
   */
  join({ name, password, moderator = '', track, muted }) {
    this.#hello = { name, password, moderator, resume: '' };
    this.#track = track;
    this.#muted = muted;
    if (this.#step('join')) this.#attempt();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.#muted = muted;
    this.#current?.send({ type: 'mute', muted });
  }

  /** @param {boolean} raised to ask to speak */
  setHand(raised) {
    this.#current?.send({ type: 'hand', raised });
  }

  /**
   * Does what moderators may; the server sees whether we are one.
   * @param {'admit'|'decline'|'mute'|'unmute'|'lower'|'remove'|'call'|'hangup'} act
   * @param {{id?: string, number?: string}} [whom] nobody in particular: everybody
   */
  moderate(act, whom = {}) {
    this.#current?.send({ type: 'moderate', act, ...whom });
  }

  /** @param {MediaStreamTrack|null} track */
  async setTrack(track) {
    this.#track = track;
    await Promise.all([this.#current?.setTrack(track), this.#coming?.setTrack(track)]);
  }

  /** Tries again now instead of later: the network is back, or somebody is impatient. */
  hurry() {
    if (this.state !== 'waiting' && !(this.state === 'knocking' && !this.#coming)) return;
    clearTimeout(this.#timer);
    this.#retry();
  }

  /** The browser says that there is no network. */
  offline() {
    if (this.state === 'in') this.#lost('offline');
  }

  leave() {
    (this.state === 'knocking' ? this.#coming : this.#current)?.send({ type: 'leave' });
    if (this.#step('leave', 'left')) this.#drop();
  }

  #attempt() {
    const c = this.#connect({ ...this.#hello, muted: this.#muted }, this.#track);
    this.#coming = c;
    on(c, 'room', (m) => this.#tell('room', m));
    on(c, 'waiting', () => this.#step('waiting'));
    on(c, 'joined', (m) => this.#joined(c, m));
    on(c, 'desk', (m) => this.#tell('desk', m));
    on(c, 'problem', (m) => this.#tell('problem', m.code));
    on(c, 'refused', (m) => { this.#coming = null; this.#end('refused', m.code); });
    on(c, 'failed', (why) => { this.#coming = null; this.#failed(why); });
    on(c, 'lost', (why) => { if (c === this.#current) this.#lost(why); });
    on(c, 'ended', (m) => this.#ended(c, m.reason));
    on(c, 'roster', (m) => { this.people = m.people; this.#tell('roster', m.people); });
    on(c, 'levels', (m) => this.#tell('levels', m.levels));
    on(c, 'message', (m) => this.#tell('message', m));
    on(c, 'muted', (m) => { this.#muted = m.muted; this.held = !!m.held; this.#tell('muted', m.muted); });
    on(c, 'up', () => { if (c === this.#current) this.#up(); });
    on(c, 'shaky', () => { if (c === this.#current) this.#tell('media', 'shaky'); });
  }

  /**
   * @param {Connection} c
   * @param {{id: string, resume: string, muted?: boolean, moderator?: boolean}} message
   */
  #joined(c, message) {
    this.#current?.close();
    this.#current = c;
    this.#coming = null;
    this.id = message.id;
    this.moderator = !!message.moderator;
    this.#hello.resume = message.resume;
    if (message.muted !== this.#muted) c.send({ type: 'mute', muted: this.#muted }); // pressed meanwhile
    this.#tell('slots', this.slots);
    this.#tell('joined', message);
    this.#step('joined');
    if (this.mediaUp) this.#up();
  }

  /**
   * @param {Connection} c
   * @param {string} reason
   */
  #ended(c, reason) {
    const ours = reason === 'replaced' && this.#coming; // the server has seen the next connection before us
    if (c === this.#current && !ours) this.#end('ended', reason);
  }

  /** Sound flows: whatever was lost is forgotten. */
  #up() {
    this.#attempts = 0;
    if (this.state === 'waiting' && this.#current?.healthy) {
      clearTimeout(this.#timer);
      this.#step('back');
    }
    this.#tell('media', 'up');
  }

  /** @param {string} why */
  #lost(why) {
    if (this.#coming) return; // already being replaced
    if (!this.#step('lost', why)) return;
    this.#later();
  }

  /** @param {string} why */
  #failed(why) {
    if (!this.#step('failed', why)) return;
    if (this.state === 'waiting' || this.state === 'knocking') this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    const wait = delay(this.#attempts++, this.#random());
    this.retryAt = performance.now() + wait;
    this.#timer = setTimeout(() => this.#retry(), wait);
  }

  #retry() {
    if (this.#step('retry')) this.#attempt();
  }

  /**
   * @param {'refused'|'ended'} happening
   * @param {string} why
   */
  #end(happening, why) {
    this.#step(happening, why);
    if (this.state === 'ended') this.#drop();
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#current?.close();
    this.#coming?.close();
    this.#current = this.#coming = null;
  }

  /**
   * @param {import('./states.js').Happening} happening
   * @param {string} [why]
   * @returns {boolean} whether it meant anything
   */
  #step(happening, why = '') {
    const state = next(this.state, happening);
    if (!state) return false;
    const before = this.state;
    this.state = state;
    this.#tell('state', { state, before, happening, why });
    return true;
  }

  /**
   * @param {string} type
   * @param {any} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
