// One line at the foot of the page that says what has just happened, for the eye and for screen readers
// alike. What happens at once is said at once: "Ada and Grace joined".

import { setText } from './dom.js';

const GATHER = 500;
const STAY = 5000;

/** The line. Its element is a polite live region. */
export class Notice {
  #node;
  /** @type {string[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #gather;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #fade;

  /** @param {HTMLElement} node */
  constructor(node) {
    this.#node = node;
  }

  /** @param {string} text */
  say(text) {
    if (!text || this.#waiting.includes(text)) return;
    this.#waiting.push(text);
    this.#gather ??= setTimeout(() => this.#speak(), GATHER);
  }

  #speak() {
    this.#gather = undefined;
    clearTimeout(this.#fade);
    setText(this.#node, this.#waiting.join(' '));
    this.#waiting = [];
    this.#node.dataset.shown = 'true';
    this.#fade = setTimeout(() => {
      this.#node.dataset.shown = 'false';
      this.#fade = setTimeout(() => setText(this.#node, ''), 600);
    }, STAY);
  }
}
