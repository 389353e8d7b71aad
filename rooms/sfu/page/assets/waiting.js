// The waiting room: nobody hears us, and a moderator has to open.

import { $, setText } from './dom.js';
import { t } from './language.js';
import { setTitle, showView } from './views.js';

/** The view. Dispatches "leave". */
export class WaitingRoom extends EventTarget {
  #room;
  #name = '';
  #lost = false;
  #since = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #clock;

  /** @param {string} room */
  constructor(room) {
    super();
    this.#room = room;
    setText($('#waiting-room'), room);
    $('#waiting-stop').addEventListener('click', () => this.dispatchEvent(new CustomEvent('leave')));
    document.addEventListener('language', () => this.#draw());
  }

  /**
   * @param {string} name our own
   * @param {boolean} lost the server cannot be reached; it is tried again
   */
  show(name, lost) {
    this.#name = name;
    this.#lost = lost;
    if (!this.#clock) {
      this.#since = performance.now();
      this.#clock = setInterval(() => this.#draw(), 5000);
      showView('waiting');
    }
    this.#draw();
  }

  end() {
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  #draw() {
    if (!this.#clock) return;
    setTitle(t('waitingShort'), this.#room);
    setText($('#waiting-text'), t('waitingText', { name: this.#name }));
    const count = Math.floor((performance.now() - this.#since) / 60_000);
    setText($('#waiting-state'), this.#lost ? t('unreachable') : count ? t('waitingFor', { count }) : t('waitingNow'));
  }
}
