// Time for tests: setTimeout waits until the test says so. (Node has one of its own only lately.)

globalThis.CustomEvent ??= /** @type {any} */ (class extends Event {
  constructor(/** @type {string} */ type, /** @type {any} */ options) {
    super(type);
    this.detail = options?.detail;
  }
});

/** Takes the place of setTimeout from its making until stop. */
export class Clock {
  #now = 0;
  #next = 1;
  /** @type {Map<number, {at: number, act: () => void}>} */
  #timers = new Map();
  #real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };

  constructor() {
    globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ act, wait = 0) => {
      this.#timers.set(this.#next, { at: this.#now + wait, act });
      return this.#next++;
    });
    globalThis.clearTimeout = /** @type {any} */ ((/** @type {number} */ id) => this.#timers.delete(id));
  }

  /** @param {number} ms */
  tick(ms) {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].act();
    }
    this.#now = until;
  }

  stop() {
    globalThis.setTimeout = this.#real.set;
    globalThis.clearTimeout = this.#real.clear;
  }
}
