// Before joining: the name, the password where there is one, and a microphone that works. Nothing of it
// is heard by anybody.

import { $, on, setText, show } from './dom.js';
import { ask } from './connection.js';
import { t } from './language.js';
import { MicrophoneError, permission } from './microphone.js';
import { SoundPanel } from './sound.js';
import { recall, remember } from './store.js';
import { delay } from './states.js';
import { setTitle, showView } from './views.js';

/** @typedef {import('./language.js').Key} Key */
/** @typedef {import('./microphone.js').Trouble} Trouble */

/**
 * The moderator's password of a link: it stands behind the #, which no server is told.
 * @param {string} hash location.hash
 * @returns {string}
 */
export function passwordOf(hash) {
  const found = /(?:^#|&)moderator=([^&]*)/.exec(hash);
  try {
    return found ? decodeURIComponent(found[1]) : '';
  } catch {
    return found ? found[1] : '';
  }
}

/**
 * Takes the moderator's password out of the address, where it would be sent on with the link, and keeps it as long as
 * the tab: a page that is loaded anew comes back as it was.
 * @param {string} room
 * @returns {string}
 */
function invitation(room) {
  const key = `passerelle.moderator.${room}`;
  const given = passwordOf(location.hash);
  try {
    if (given) sessionStorage.setItem(key, given);
    if (given) history.replaceState(null, '', location.pathname + location.search);
    return sessionStorage.getItem(key) ?? '';
  } catch {
    return given;
  }
}

/**
 * @param {string} room
 */
function forgetInvitation(room) {
  try {
    sessionStorage.removeItem(`passerelle.moderator.${room}`);
  } catch {
    // Nothing was kept.
  }
}

/** @param {string} code of the server @returns {Key} the words for it */
export function errorKey(code) {
  const known = ['password', 'moderator', 'tries', 'full', 'room', 'name', 'version', 'media', 'message', 'declined', 'unanswered'];
  const name = known.includes(code) ? code : 'failed';
  return /** @type {Key} */ (`error${name[0].toUpperCase()}${name.slice(1)}`);
}

/** The view. Dispatches "join" with {name, password, moderator, muted}. */
export class Lobby extends EventTarget {
  #room;
  #microphone;
  #name = /** @type {HTMLInputElement} */ ($('#name'));
  #password = /** @type {HTMLInputElement} */ ($('#password'));
  #moderator = /** @type {HTMLInputElement} */ ($('#moderator'));
  #muted = /** @type {HTMLInputElement} */ ($('#join-muted'));
  #button = /** @type {HTMLButtonElement} */ ($('#join'));
  #area = $('#microphone');
  /** @type {'asleep'|'asking'|'on'|'trouble'} */
  #state = 'asleep';
  /** @type {Trouble} */
  #trouble = 'failed';
  #locked = false; // the room has a password
  #moderated = false; // ... and another one for moderators
  #waiting = false; // ... and a waiting room
  #invited = ''; // the moderator's password of the link
  #busy = false; // joining
  #heard = false; // the microphone has shown that it works
  /** @type {Key|''} */
  #error = '';

  /**
   * @param {string} room
   * @param {import('./microphone.js').Microphone} microphone
   * @param {import('./speakers.js').Speakers} speakers
   */
  constructor(room, microphone, speakers) {
    super();
    this.#room = room;
    this.#microphone = microphone;
    const panel = new SoundPanel(this.#area, microphone, speakers);
    on(panel, 'trouble', (error) => this.#inTrouble(error));
    this.#name.value = recall('name');
    this.#invited = invitation(room);
    setText($('#lobby-title'), room);
    $('#lobby-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    $('#microphone-on').addEventListener('click', () => this.#open());
    $('#microphone-again').addEventListener('click', () => this.#open());
    for (const field of [this.#name, this.#password, this.#moderator]) {
      field.addEventListener('input', () => {
        this.#complain(field, '');
        this.#draw(); // a moderator does not ask
      });
    }
    window.addEventListener('hashchange', () => {
      this.#invited = invitation(room);
      this.#draw();
    });
    on(microphone, 'lost', () => {
      if (this.visible) this.#inTrouble(new MicrophoneError('absent'));
    });
    document.addEventListener('language', () => this.#draw());
    navigator.mediaDevices?.addEventListener('devicechange', () => {
      if (this.visible && this.#state === 'trouble' && this.#trouble === 'absent') this.#open();
    });
  }

  get visible() {
    return document.documentElement.dataset.view === 'lobby';
  }

  /**
   * @param {string} [problem] the server's error code, where joining failed
   */
  async show(problem = '') {
    this.#busy = false;
    if (this.#state === 'on' && !this.#microphone.track) this.#state = 'asleep'; // closed when we left
    this.#error = problem ? errorKey(problem) : '';
    setTitle(this.#room);
    showView('lobby');
    this.#draw();
    if (problem === 'password') {
      this.#error = '';
      this.#lock();
      this.#complain(this.#password, t('errorPassword'));
      this.#password.select();
    }
    if (problem === 'moderator') {
      this.#error = '';
      this.#invited = '';
      forgetInvitation(this.#room);
      this.#moderated = true;
      /** @type {HTMLDetailsElement} */ ($('#moderator-field')).open = true;
      this.#draw();
      this.#complain(this.#moderator, t('errorModerator'), true);
      this.#moderator.select();
    }
    if (this.#state !== 'trouble' || this.#microphone.track) this.#wake();
  }

  /** Looks whether the room is there and what it asks for, until the server can be reached. */
  async look() {
    for (let n = 0; this.visible; n++) {
      try {
        const message = await ask(this.#room);
        this.#error = message.type === 'error' ? errorKey(message.code) : '';
        this.#moderated = !!message.moderator;
        this.#waiting = !!message.waiting;
        if (message.password) this.#lock();
        this.#draw();
        return;
      } catch {
        this.#error = 'unreachable';
        this.#draw();
        await new Promise((resolve) => setTimeout(resolve, delay(n, Math.random())));
      }
    }
  }

  /** @param {number} level 0 to 1, of the microphone */
  hear(level) {
    if (this.#heard || level < 0.35) return;
    this.#heard = true;
    this.#draw();
  }

  /** Opens the microphone where that asks nobody; says why not where that is known. */
  async #wake() {
    if (!window.isSecureContext) this.#inTrouble(new MicrophoneError('insecure'));
    else if (this.#microphone.track) this.#set('on');
    else if (await permission() === 'granted') await this.#open();
    else if (await permission() === 'denied') this.#inTrouble(new MicrophoneError('refused'));
  }

  async #open() {
    this.#set('asking');
    try {
      await this.#microphone.open(recall('microphone'));
      this.#set('on');
    } catch (error) {
      this.#inTrouble(error);
    }
  }

  /** @param {unknown} error */
  #inTrouble(error) {
    this.#trouble = error instanceof MicrophoneError ? error.trouble : 'failed';
    this.#set('trouble');
  }

  /** @param {'asleep'|'asking'|'on'|'trouble'} state */
  #set(state) {
    this.#state = state;
    this.#draw();
  }

  #lock() {
    this.#locked = true;
    this.#draw();
  }

  /** @returns {string} the moderator's password, where there is one */
  get #claim() {
    return this.#moderated ? this.#moderator.value || this.#invited : '';
  }

  async #submit() {
    if (this.#busy) return;
    const name = this.#name.value.trim();
    if (!name) return this.#complain(this.#name, t('nameMissing'), true);
    if (this.#locked && !this.#claim && !this.#password.value) return this.#complain(this.#password, t('passwordMissing'), true);
    if (this.#state === 'asleep' || this.#state === 'asking') {
      await this.#open();
      if (!this.#microphone.track) return; // the button now says "only listen"
    }
    remember('name', name);
    this.#busy = true;
    this.#error = '';
    this.#draw();
    this.dispatchEvent(new CustomEvent('join', {
      detail: { name, password: this.#password.value, moderator: this.#claim, muted: this.#muted.checked },
    }));
  }

  /**
   * @param {HTMLInputElement} field
   * @param {string} text '' when all is well
   * @param {boolean} [focus]
   */
  #complain(field, text, focus = false) {
    field.setAttribute('aria-invalid', String(text !== ''));
    setText($(`#${field.id}-error`), text);
    if (focus) field.focus();
  }

  #draw() {
    this.#area.dataset.state = this.#state;
    const trouble = this.#state === 'trouble';
    setText($('#trouble-title'), trouble ? t(/** @type {Key} */ (`${this.#trouble}Title`)) : '');
    setText($('#trouble-text'), trouble ? t(/** @type {Key} */ (`${this.#trouble}Text`)) : '');
    show($('#microphone-again'), this.#trouble !== 'insecure');
    setText($('#microphone-say'), t(this.#state === 'asking' ? 'microphoneAsking' : 'microphoneAsleep'));
    show($('#microphone-on'), this.#state !== 'asking');
    setText($('#microphone-works'), t(this.#heard ? 'microphoneHeard' : 'microphoneTry'));
    setText($('#lobby-error'), this.#error && t(this.#error));
    const knocks = this.#waiting && !this.#claim;
    show($('#password-field'), this.#locked && !this.#claim);
    show($('#moderator-field'), this.#moderated && !this.#invited);
    show($('#moderator-known'), this.#moderated && !!this.#invited);
    setText($('#lobby-lead'), t(knocks ? 'lobbyKnock' : 'lobbyLead'));
    this.#button.disabled = this.#busy;
    setText(this.#button, t(this.#busy ? 'joining' : knocks ? 'knock' : trouble ? 'joinListen' : 'join'));
  }
}
