// What a moderator sees and does: who knocks, who is being called, and what can be done about one person or all.

import { $, el, icon, setText, show } from './dom.js';
import { t } from './language.js';

/** @typedef {import('./session.js').Desk} Data */
/** @typedef {import('./session.js').Person} Person */
/** @typedef {import('./language.js').Key} Key */

const states = /** @type {Record<string, Key>} */ ({
  calling: 'callCalling', ringing: 'callRinging', busy: 'callBusy', unanswered: 'callUnanswered', declined: 'callDeclined',
  unknown: 'callUnknown', unreachable: 'callUnreachable', asked: 'callAsked', forbidden: 'callForbidden', limited: 'callLimited',
});

/** @param {string} state of a call out @returns {Key} the words for it */
export function callWords(state) {
  return states[state] ?? 'callFailed';
}

/** @param {string} state @returns {boolean} whether the call is over */
export function callOver(state) {
  return !['calling', 'ringing', 'asked'].includes(state);
}

/** Dispatches "act" {act, id, number}, "knocked" (names of who is new), "called" ({number, state} of what has changed). */
export class Desk extends EventTarget {
  /** @type {Data} */
  #data = { knocks: [], calls: [], dial: false };
  #told = 0; // when #data came
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #clock;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #card = $('#desk');
  #callDialog = /** @type {HTMLDialogElement} */ ($('#call'));
  #number = /** @type {HTMLInputElement} */ ($('#call-number'));
  #person = new PersonDialog((act, id) => this.#act(act, { id }));

  constructor() {
    super();
    $('#mute-all').addEventListener('click', () => this.#act('mute'));
    $('#admit-all').addEventListener('click', () => this.#act('admit'));
    $('#decline-all').addEventListener('click', () => this.#act('decline'));
    $('#call-open').addEventListener('click', () => this.#openCall());
    $('#call-close').addEventListener('click', () => this.#callDialog.close());
    $('#call-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#call();
    });
    this.#number.addEventListener('input', () => this.#complain(''));
    for (const key of document.querySelectorAll('[data-key]')) {
      key.addEventListener('click', () => {
        this.#number.value += key.getAttribute('data-key');
        this.#complain('');
      });
    }
    $('#call-erase').addEventListener('click', () => {
      this.#number.value = this.#number.value.slice(0, -1);
    });
    document.addEventListener('language', () => this.#draw());
  }

  /** @returns {number} how many wait at the door */
  get waiting() {
    return this.#data.knocks.length;
  }

  /** @param {boolean} active whether we are a moderator in the room */
  set active(active) {
    show($('#moderation'), active);
    clearInterval(this.#clock);
    if (active) this.#clock = setInterval(() => this.#draw(), 10_000); // the minutes of who waits
    else this.#close();
  }

  /** @param {Data} data */
  follow(data) {
    const before = this.#data;
    this.#data = data;
    this.#told = performance.now();
    const fresh = data.knocks.filter((k) => !before.knocks.some((b) => b.id === k.id));
    if (fresh.length) this.#tell('knocked', fresh.map((k) => k.name));
    for (const call of data.calls) {
      if (before.calls.find((b) => b.id === call.id)?.state !== call.state) this.#tell('called', call);
    }
    this.#draw();
  }

  /**
   * What can be done about a person.
   * @param {Person} person
   * @param {HTMLElement} near
   */
  open(person, near) {
    this.#person.open(person, near);
  }

  /** @param {readonly Person[]} people who are there now */
  roster(people) {
    this.#person.roster(people);
  }

  #draw() {
    const { knocks, calls, dial } = this.#data;
    show($('#call-open'), dial);
    show(this.#card, knocks.length + calls.length > 0);
    show($('#door'), knocks.length > 0);
    setText($('#door-title'), t('knocking', { count: knocks.length }));
    show($('#door-all'), knocks.length > 1);
    show($('#calling'), calls.length > 0);
    const late = Math.round((performance.now() - this.#told) / 1000);
    this.#list($('#knocks'), knocks.map((k) => ({
      id: k.id, name: k.name, picture: k.kind === 'phone' ? 'phone' : 'person', busy: false, alarm: false,
      kind: k.kind === 'phone' ? `${t('phone')} · ` : '', detail: since(k.seconds + late),
      buttons: [
        { act: 'decline', text: t('decline'), label: t('declineOne', { name: k.name }), look: 'plain' },
        { act: 'admit', text: t('admit'), label: t('admitOne', { name: k.name }), look: 'primary' },
      ],
    })));
    this.#list($('#calls'), calls.map((c) => ({
      id: c.id, name: c.number, picture: 'phone', busy: !callOver(c.state), alarm: callOver(c.state), kind: '', detail: t(callWords(c.state)),
      buttons: [callOver(c.state)
        ? { act: 'hangup', text: t('dismiss'), label: t('dismissOne', { name: c.number }), look: 'plain' }
        : { act: 'hangup', text: t('hangup'), label: t('hangupOne', { name: c.number }), look: 'alarm' }],
    })));
  }

  /**
   * @param {HTMLElement} list
   * @param {Line[]} lines
   */
  #list(list, lines) {
    const stay = new Set(lines.map((l) => l.id));
    for (const node of [...list.children]) {
      const id = /** @type {HTMLElement} */ (node).dataset.id ?? '';
      if (stay.has(id)) continue;
      if (node.contains(document.activeElement)) $('#room-title').focus({ preventScroll: true });
      node.remove();
      this.#rows.delete(id);
    }
    lines.forEach((line, place) => {
      let row = this.#rows.get(line.id);
      if (!row) {
        row = new Row((act) => this.#act(act, { id: line.id }));
        this.#rows.set(line.id, row);
      }
      row.draw(line);
      const there = list.children[place] ?? null;
      if (there !== row.node) list.insertBefore(row.node, there);
    });
  }

  #openCall() {
    this.#number.value = '';
    this.#complain('');
    this.#callDialog.showModal();
    this.#number.focus();
  }

  #call() {
    const number = this.#number.value.trim();
    if (!/^[\x20-\x7e]{1,64}$/.test(number)) return this.#complain(t('callMissing'));
    this.#callDialog.close();
    this.#act('call', { number });
  }

  /** @param {string} text '' when all is well */
  #complain(text) {
    this.#number.setAttribute('aria-invalid', String(text !== ''));
    setText($('#call-error'), text);
    if (text) this.#number.focus();
  }

  #close() {
    this.#data = { knocks: [], calls: [], dial: false };
    this.#callDialog.close();
    this.#person.close();
    this.#draw();
  }

  /**
   * @param {string} act
   * @param {{id?: string, number?: string}} [whom]
   */
  #act(act, whom = {}) {
    this.#tell('act', { act, whom });
  }

  /**
   * @param {string} type
   * @param {any} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {number} seconds @returns {string} how long somebody has waited */
function since(seconds) {
  const count = Math.floor(seconds / 60);
  return count ? t('sinceMinutes', { count }) : t('sinceNow');
}

/**
 * @typedef {object} Line
 * @property {string} id
 * @property {string} name
 * @property {string} picture
 * @property {string} kind of caller
 * @property {string} detail
 * @property {boolean} busy
 * @property {boolean} alarm
 * @property {{act: string, text: string, label: string, look: string}[]} buttons
 */

/** One who knocks or is called: it lives as long as that, so that no button goes away under a finger. */
class Row {
  node = el('li', 'line');
  #disc = el('span', 'line-disc');
  #name = el('span', 'name');
  #detail = el('span', 'detail');
  #kind = el('span', 'kind');
  #said = el('span');
  #acts = el('span', 'line-acts');
  /** @type {string} */
  #drawn = '';
  #act;

  /** @param {(act: string) => void} act */
  constructor(act) {
    this.#act = act;
    const words = el('span', 'words');
    words.append(this.#name, this.#detail);
    this.#detail.append(this.#kind, this.#said);
    this.node.append(this.#disc, words, this.#acts);
  }

  /** @param {Line} line */
  draw(line) {
    this.node.dataset.id = line.id;
    this.node.dataset.busy = String(line.busy);
    this.node.dataset.alarm = String(line.alarm);
    setText(this.#name, line.name);
    setText(this.#kind, line.kind);
    setText(this.#said, line.detail);
    const drawn = JSON.stringify([line.picture, line.buttons]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#disc.replaceChildren(icon(line.picture));
    this.#acts.replaceChildren(...line.buttons.map(({ act, text, label, look }) => {
      const button = el('button', `button small ${look}`);
      button.type = 'button';
      if (look === 'plain') button.append(icon('close'));
      button.append(el('span', '', text));
      button.setAttribute('aria-label', label);
      button.addEventListener('click', () => this.#act(act));
      return button;
    }));
  }
}

/** What can be done about one person. */
class PersonDialog {
  #dialog = /** @type {HTMLDialogElement} */ ($('#person'));
  #id = '';
  #act;

  /** @param {(act: string, id: string) => void} act */
  constructor(act) {
    this.#act = act;
    for (const button of this.#dialog.querySelectorAll('[data-act]')) {
      button.addEventListener('click', () => {
        this.#dialog.close();
        this.#act(button.getAttribute('data-act') ?? '', this.#id);
      });
    }
    $('#person-remove').addEventListener('click', () => this.#confirm(true));
    $('#person-keep').addEventListener('click', () => this.#confirm(false));
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside it
    });
  }

  /**
   * @param {Person} person
   * @param {HTMLElement} near the button that opened it
   */
  open(person, near) {
    this.#id = person.id;
    this.#draw(person);
    this.#confirm(false);
    this.#dialog.showModal();
    const at = near.getBoundingClientRect();
    const { width, height } = this.#dialog.getBoundingClientRect();
    const left = Math.max(16, Math.min(at.right - width / 2, innerWidth - width - 16));
    const top = Math.max(16, Math.min(at.bottom + 8, innerHeight - height - 16));
    this.#dialog.style.setProperty('--left', `${left}px`);
    this.#dialog.style.setProperty('--top', `${top}px`);
  }

  /** @param {readonly Person[]} people */
  roster(people) {
    if (!this.#dialog.open) return;
    const person = people.find((p) => p.id === this.#id);
    if (person) this.#draw(person);
    else this.#dialog.close();
  }

  close() {
    this.#dialog.close();
  }

  /** @param {Person} person */
  #draw(person) {
    setText($('#person-title'), person.name);
    setText($('#person-question'), t('removeQuestion', { name: person.name }));
    show($('#person-mute'), !person.muted);
    show($('#person-unmute'), person.muted);
    setText($('#person-unmute-text'), t(person.kind === 'phone' ? 'unmutePhone' : 'unmuteBrowser'));
    show($('#person-lower'), !!person.hand);
  }

  /** @param {boolean} asked whether to remove the person is being asked */
  #confirm(asked) {
    show($('#person-acts'), !asked);
    show($('#person-sure'), asked);
    if (asked) $('#person-keep').focus();
  }
}
