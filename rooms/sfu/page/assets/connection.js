// One attempt to be in the room: one WebSocket and one peer connection, from the first byte until either
// breaks. It is never mended; session.js makes the next one.
//
//   1. the socket opens, and the server says what the room asks for
//   2. we send our name, and the offer
//   3. the server answers, or refuses, or has us wait for a moderator, and then again from 2
//   4. roster and levels follow, until one side ends it

import { on } from './dom.js';
import { Peer, SLOTS } from './peer.js';

// From opening the socket to the answer.
const PATIENCE = 10_000;

/** @typedef {{name: string, password: string, moderator: string, resume: string, muted: boolean}} Hello */

/**
 * Where the room's WebSocket is.
 * @param {string} room
 * @param {Location|URL} [here]
 * @returns {string}
 */
export function socketAddress(room, here = location) {
  return `${here.protocol === 'https:' ? 'wss:' : 'ws:'}//${here.host}/-/ws?room=${encodeURIComponent(room)}`;
}

/**
 * Asks what the room asks for, and hangs up.
 * @param {string} room
 * @returns {Promise<any>} the server's "room" or "error" message; rejects if it cannot be reached
 */
export function ask(room) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(socketAddress(room));
    const timer = setTimeout(() => socket.close(), PATIENCE);
    socket.addEventListener('message', (event) => {
      resolve(JSON.parse(event.data));
      socket.close();
    });
    socket.addEventListener('close', () => {
      clearTimeout(timer);
      reject(new Error('the server cannot be reached'));
    });
  });
}

/**
 * Dispatches "room", "waiting", "joined", "roster", "levels", "muted", "message", "desk", "ended" with the server's
 * message, "refused" with its error, "problem" with one that changes nothing, "failed" (never joined), "lost" (was joined), and the peer's "up", "shaky".
 */
export class Connection extends EventTarget {
  /** @type {WebSocket} */
  #socket;
  /** @type {Peer|null} null until the server has said how many slots there are */
  #peer = null;
  #track;
  #hello;
  #joined = false;
  #slots = SLOTS;
  #done = false;
  #timer;
  /** What has been read so far; one message is done with before the next begins. */
  #reading = Promise.resolve();

  /**
   * @param {string} address
   * @param {Hello} hello
   * @param {MediaStreamTrack|null} track
   */
  constructor(address, hello, track) {
    super();
    this.#hello = hello;
    this.#track = track;
    this.#timer = setTimeout(() => this.#broken('time'), PATIENCE);
    this.#socket = new WebSocket(address);
    this.#socket.addEventListener('message', (event) => {
      this.#reading = this.#reading.then(() => this.#read(event.data)).catch(console.error);
    });
    this.#socket.addEventListener('close', () => this.#broken('socket'));
  }

  /** @returns {Peer|null} */
  get peer() {
    return this.#peer;
  }

  /** @returns {boolean} whether sound and messages flow: what was lost has come back by itself */
  get healthy() {
    return !!this.#peer?.up && this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * Speaks with another microphone, or with none.
   * @param {MediaStreamTrack|null} track
   */
  async setTrack(track) {
    this.#track = track;
    await this.#peer?.setTrack(track);
  }

  /** @param {object} message */
  send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Ends it; nothing is dispatched any more. */
  close() {
    this.#done = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#peer?.close();
  }

  /** @param {string} text */
  async #read(text) {
    if (this.#done) return;
    const message = JSON.parse(text);
    switch (message.type) {
      case 'room':
        this.#tell('room', message);
        this.#slots = message.slots ?? SLOTS;
        await this.#join();
        break;
      case 'waiting':
        clearTimeout(this.#timer); // it takes as long as it takes
        this.#tell('waiting', message);
        break;
      case 'admitted': // by a network that may be another one by now
        this.#timer = setTimeout(() => this.#broken('time'), PATIENCE);
        this.#peer?.close();
        this.#peer = null;
        await this.#join();
        break;
      case 'joined':
        await this.#accept(message);
        break;
      case 'roster':
      case 'levels':
      case 'muted':
      case 'message':
      case 'desk':
        this.#tell(message.type, message);
        break;
      case 'ended':
        this.#finish('ended', message);
        break;
      case 'error':
        // Once inside, an error speaks of one message, not of us: if it is fatal, the socket closes.
        if (this.#joined) this.#tell('problem', message);
        else this.#finish('refused', message);
        break;
      default: // from a newer server
    }
  }

  async #join() {
    try {
      this.#peer ??= this.#newPeer(this.#slots);
      this.send({ type: 'join', ...this.#hello, offer: await this.#peer.offer() });
    } catch (error) {
      this.#finish('refused', { code: 'media', text: String(error) });
    }
  }

  /** @param {number} slots @returns {Peer} */
  #newPeer(slots) {
    const peer = new Peer(this.#track, slots);
    on(peer, 'up', () => this.#tell('up'));
    on(peer, 'shaky', () => this.#tell('shaky'));
    on(peer, 'down', () => this.#broken('media'));
    return peer;
  }

  /** @param {any} message */
  async #accept(message) {
    clearTimeout(this.#timer);
    try {
      await this.#peer?.accept(message.answer);
    } catch (error) {
      this.#finish('refused', { code: 'media', text: String(error) });
      return;
    }
    if (this.#done) return;
    this.#joined = true;
    this.#tell('joined', message);
  }

  /** @param {'socket'|'media'|'time'} what */
  #broken(what) {
    if (this.#joined) this.#tell('lost', what);
    else this.#finish('failed', what);
  }

  /**
   * @param {string} type
   * @param {any} detail
   */
  #finish(type, detail) {
    if (this.#done) return;
    this.close();
    this.#tell(type, detail, true);
  }

  /**
   * @param {string} type
   * @param {any} [detail]
   * @param {boolean} [last]
   */
  #tell(type, detail, last = false) {
    if (this.#done && !last) return;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
