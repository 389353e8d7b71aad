// The connection, in words: a small light at the top, and a banner where something is wrong.

import { $, setText, show } from './dom.js';
import { t } from './language.js';

/** @typedef {'connecting'|'good'|'weak'|'reconnecting'} Health */

const words = /** @type {const} */ ({
  connecting: 'linkConnecting', good: 'linkGood', weak: 'linkWeak', reconnecting: 'linkReconnecting',
});

/** The light and the banner. */
export class Link {
  #node = $('#link');
  #banner = $('#banner');
  /** @type {Health} */
  #health = 'connecting';
  #why = '';
  #waiting = false;
  #retryAt = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #clock;

  /** @param {() => void} tryNow */
  constructor(tryNow) {
    $('#try-now').addEventListener('click', tryNow);
    document.addEventListener('language', () => this.#draw());
  }

  /** @returns {Health} */
  get health() {
    return this.#health;
  }

  /** @param {Health} health */
  set(health) {
    this.#health = health;
    if (health !== 'reconnecting') clearInterval(this.#clock);
    show(this.#node, true);
    this.#draw();
  }

  /**
   * The connection is lost.
   * @param {string} why 'offline', 'media', or anything else
   * @param {number|null} retryAt when the next attempt is, on performance.now()'s clock; null: it is under way
   */
  lost(why, retryAt) {
    this.#why = why || this.#why;
    this.#waiting = retryAt !== null;
    this.#retryAt = retryAt ?? 0;
    clearInterval(this.#clock);
    if (this.#waiting) this.#clock = setInterval(() => this.#draw(), 500);
    this.set('reconnecting');
  }

  hide() {
    clearInterval(this.#clock);
    this.#why = '';
    show(this.#node, false);
    show(this.#banner, false);
    delete document.documentElement.dataset.link;
  }

  #draw() {
    if (this.#node.hidden) return;
    document.documentElement.dataset.link = this.#health;
    setText($('#link-text'), t(words[this.#health]));
    const lost = this.#health === 'reconnecting';
    if (!lost) this.#why = '';
    show(this.#banner, lost);
    if (lost) setText($('#banner-text'), this.#sentence());
  }

  /** @returns {string} */
  #sentence() {
    if (!navigator.onLine) return t('lostOffline');
    if (this.#why === 'media') return t('lostMedia');
    const count = Math.ceil((this.#retryAt - performance.now()) / 1000);
    return this.#waiting && count > 0 ? t('lostWait', { count }) : t('lostNow');
  }
}
