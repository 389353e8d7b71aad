// One line at the foot of the page that says what has just happened, for the eye and for screen readers
// alike. What happens at once is said at once: "Ada and Grace joined".

import { setText } from './dom.js';

const GATHER = 500;
const STAY = 5000;

/** The line. Its element is a polite live region. */
export class Notice {
  #node;
  /** @type {Map<string, string>} */
  #waiting = new Map(); // by topic
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #gather;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #fade;

  /** @param {HTMLElement} node */
  constructor(node) {
    this.#node = node;
  }

  /**
   * @param {string} text
   * @param {string} [topic] of which only the last word counts: who is muted and unmuted in one breath is
   *   told the second only
   */
  say(text, topic = text) {
    this.#waiting.delete(topic);
    this.#waiting.set(topic, text);
    this.#gather ??= setTimeout(() => this.#speak(), GATHER);
  }

  /** Says nothing more of what is over. */
  clear() {
    clearTimeout(this.#gather);
    clearTimeout(this.#fade);
    this.#gather = undefined;
    this.#waiting.clear();
    this.#node.dataset.shown = 'false';
    setText(this.#node, '');
  }

  #speak() {
    this.#gather = undefined;
    clearTimeout(this.#fade);
    setText(this.#node, [...this.#waiting.values()].join(' '));
    this.#waiting.clear();
    this.#node.dataset.shown = 'true';
    this.#fade = setTimeout(() => {
      this.#node.dataset.shown = 'false';
      this.#fade = setTimeout(() => setText(this.#node, ''), 600);
    }, STAY);
  }
}
