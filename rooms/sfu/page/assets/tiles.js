// The people in the room: one tile each, which lives as long as the person stays, and a light that
// follows the voice.

import { $, el, icon, setText, show } from './dom.js';
import { t } from './language.js';
import { brightness, initials, order } from './people.js';

/** @typedef {import('./session.js').Person} Person */

// How many tiles a wide screen holds side by side.
const ACROSS = 5;

/**
 * So many columns that the rows are about equally long: six people are three and three, not five and one.
 * @param {number} people
 * @returns {number}
 */
export function columns(people) {
  if (people > 16) return 9;
  return Math.ceil(people / Math.max(1, Math.ceil(people / ACROSS)));
}

// A light that went out stays for a moment, so that it does not flicker between two words.
const HOLD = 350;

/** One person's tile. */
class Tile {
  node = el('li', 'person');
  #face = el('span', 'face');
  #name = el('span', 'name');
  #detail = el('span', 'detail');
  #badge = el('span', 'badge');
  #speaking = el('span', 'unseen');
  #hand = el('span', 'raised');
  #order = el('span', '');
  #more = el('button', 'more');
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #dark;

  /** @param {(near: HTMLElement) => void} more what can be done about the person is asked for */
  constructor(more) {
    this.#badge.append(icon('mic-off'));
    this.#hand.append(icon('hand'), this.#order);
    this.#more.type = 'button';
    this.#more.append(icon('more'));
    this.#more.setAttribute('aria-haspopup', 'dialog');
    this.#more.addEventListener('click', () => more(this.#more));
    this.#face.append(el('span', 'light'), el('span', 'disc'), this.#badge, this.#hand);
    this.#face.setAttribute('aria-hidden', 'true');
    const words = el('span', 'words');
    words.append(this.#name, this.#detail, this.#speaking);
    this.node.append(this.#face, words, this.#more);
  }

  /**
   * @param {Person} person
   * @param {boolean} self
   * @param {boolean} listening self, without a microphone
   * @param {boolean} hands whether there are several that are raised
   * @param {boolean} moderating whether we may do something about it
   */
  draw(person, self, listening, hands, moderating) {
    const { node } = this;
    node.dataset.id = person.id;
    node.dataset.kind = person.kind;
    node.dataset.muted = String(person.muted);
    node.dataset.self = String(self);
    node.dataset.lost = String(!!person.lost);
    const disc = $('.disc', this.#face);
    const letters = person.kind === 'phone' ? '' : initials(person.name);
    if (letters) setText(disc, letters);
    else if (!disc.firstElementChild) disc.replaceChildren(icon(person.kind === 'phone' ? 'phone' : 'person'));
    setText(this.#name, person.name);
    const details = [
      self && t('you'),
      person.moderator && t('moderator'),
      person.kind === 'phone' && t('phone'),
      person.calling && t('callCalling'),
      person.hand && (hands ? t('handOrder', { order: person.hand }) : t('hand')),
      person.lost ? t('lost') : listening ? t('listening') : person.muted && t('muted'),
    ];
    setText(this.#detail, details.filter(Boolean).join(' · '));
    node.dataset.hand = String(!!person.hand);
    show(this.#badge, person.muted);
    show(this.#hand, !!person.hand);
    setText(this.#order, hands ? String(person.hand ?? '') : '');
    show(this.#more, moderating && !self);
    this.#more.setAttribute('aria-label', t('moderateOne', { name: person.name }));
    if (person.muted || person.lost) this.light(127);
  }

  /** @param {number|undefined} level -dBov */
  light(level) {
    const bright = brightness(level);
    this.node.style.setProperty('--light', bright.toFixed(2));
    clearTimeout(this.#dark);
    if (bright > 0) this.#speak(true);
    else this.#dark = setTimeout(() => this.#speak(false), HOLD);
  }

  /** @param {boolean} speaking */
  #speak(speaking) {
    this.node.dataset.speaking = String(speaking);
    setText(this.#speaking, speaking ? t('speaking') : '');
  }
}

/** All of them. Dispatches "more" {id, near}: what can be done about somebody is asked for. */
export class Tiles extends EventTarget {
  #list;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();

  /** @param {HTMLElement} list */
  constructor(list) {
    super();
    this.#list = list;
  }

  /**
   * @param {readonly Person[]} people
   * @param {string} self id
   * @param {boolean} listening self has no microphone
   * @param {boolean} [moderating] self is a moderator
   */
  draw(people, self, listening, moderating = false) {
    const hands = people.filter((p) => p.hand).length > 1;
    const gone = new Set(this.#tiles.keys());
    order(people, self).forEach((person, place) => {
      gone.delete(person.id);
      let tile = this.#tiles.get(person.id);
      if (!tile) {
        tile = new Tile((near) => this.dispatchEvent(new CustomEvent('more', { detail: { id: person.id, near } })));
        this.#tiles.set(person.id, tile);
      }
      tile.draw(person, person.id === self, listening && person.id === self, hands, moderating);
      const there = this.#list.children[place] ?? null;
      if (there !== tile.node) this.#list.insertBefore(tile.node, there);
    });
    for (const id of gone) {
      this.#tiles.get(id)?.node.remove();
      this.#tiles.delete(id);
    }
    this.#list.style.setProperty('--columns', String(columns(people.length)));
    this.#list.dataset.size = people.length <= 6 ? 'few' : people.length <= 16 ? 'some' : 'many';
  }

  /** @param {Record<string, number>} levels -dBov, of those who changed */
  light(levels) {
    for (const [id, level] of Object.entries(levels)) this.#tiles.get(id)?.light(level);
  }

  /** All lights out: nothing is heard of anybody. */
  dark() {
    for (const tile of this.#tiles.values()) tile.light(127);
  }

  clear() {
    this.#tiles.clear();
    this.#list.replaceChildren();
  }
}
