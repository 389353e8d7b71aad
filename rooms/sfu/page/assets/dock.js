// The buttons of a call, and the keys that do the same. The truth about mute is the microphone's; here it
// is shown and asked for.

import { $, on, setText, show } from './dom.js';
import { watchKeys } from './keys.js';
import { t } from './language.js';
import { recall, remember } from './store.js';

// Speaking this loud into a muted microphone is meant for somebody.
const IN_VAIN = 0.5;
const IN_VAIN_PICTURES = 12;

/**
 * Dispatches "mute" {muted, quietly}, "hand" (raised), "leave", and "microphone" (there is none; one is wanted).
 */
export class Dock extends EventTarget {
  #microphone;
  #active = false;
  #talking = false; // the space bar is held
  #loud = 0; // pictures in a row that were loud while muted
  #vain = false;
  #mute = $('#mute');
  #hand = $('#hand');
  #raised = false;
  #hint = $('#mute-hint');
  #keys = /** @type {HTMLInputElement} */ ($('#keys'));

  /** @param {import('./microphone.js').Microphone} microphone */
  constructor(microphone) {
    super();
    this.#microphone = microphone;
    this.#mute.addEventListener('click', () => this.#toggle());
    this.#hand.addEventListener('click', () => this.#tell('hand', !this.#raised));
    $('#leave').addEventListener('click', () => this.#tell('leave'));
    this.#keys.checked = recall('keys') !== 'off';
    this.#keys.addEventListener('change', () => {
      remember('keys', this.#keys.checked ? '' : 'off');
      this.draw();
    });
    on(microphone, 'change', () => this.draw());
    document.addEventListener('language', () => this.draw());
    watchKeys({
      enabled: () => this.#active && this.#keys.checked && !document.querySelector('dialog[open]'),
      muted: () => this.silent,
      toggle: () => this.#toggle(),
      hold: (talking) => this.#hold(talking),
    });
  }

  /** @returns {boolean} whether nobody can hear us */
  get silent() {
    return this.#microphone.muted || !this.#microphone.track;
  }

  /** @param {boolean} raised whether our hand is, as everybody sees it */
  set raised(raised) {
    if (raised === this.#raised) return;
    this.#raised = raised;
    this.draw();
  }

  /** @param {boolean} active whether we are in the room */
  set active(active) {
    this.#active = active;
    this.draw();
  }

  /** @param {number} level 0 to 1, of what the microphone captures */
  hear(level) {
    this.#mute.style.setProperty('--level', this.silent ? '0' : level.toFixed(2));
    this.#loud = this.silent && level > IN_VAIN ? this.#loud + 1 : 0;
    if (this.#loud < IN_VAIN_PICTURES || this.#vain) return;
    this.#vain = true;
    this.draw();
  }

  draw() {
    const { silent } = this;
    if (!silent) this.#vain = false;
    this.#mute.setAttribute('aria-pressed', String(silent));
    this.#mute.dataset.talking = String(this.#talking);
    $('#mute-icon').setAttribute('href', silent ? '#i-mic-off' : '#i-mic');
    setText($('#mute-text'), t(this.#talking ? 'talking' : silent ? 'unmute' : 'mute'));
    this.#mute.title = this.#keys.checked ? `${t(silent ? 'unmute' : 'mute')} (M)` : '';
    this.#hand.setAttribute('aria-pressed', String(this.#raised));
    setText($('#hand-text'), t(this.#raised ? 'lowerHand' : 'raiseHand'));
    const hint = this.#vain ? 'mutedSpeaking' : 'mutedHint';
    const useful = silent && !!this.#microphone.track && (this.#vain || this.#keys.checked);
    setText(this.#hint, useful ? t(hint) : '');
    this.#hint.dataset.vain = String(this.#vain);
    show(this.#hint, useful);
  }

  #toggle() {
    if (!this.#microphone.track) this.#tell('microphone');
    else this.#tell('mute', { muted: !this.#microphone.muted, quietly: false });
  }

  /** @param {boolean} talking */
  #hold(talking) {
    if (!this.#microphone.track) return;
    this.#talking = talking;
    this.#tell('mute', { muted: !talking, quietly: true });
  }

  /**
   * @param {string} type
   * @param {any} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
