// The page's language: which one, the words in it, and how they reach the document.

import { recall, remember } from './store.js';
import { english } from './words.en.js';
import { french } from './words.fr.js';

/** @typedef {'en'|'fr'} Language */
/** @typedef {keyof typeof english} Key */

const words = { en: english, fr: french };

/** @type {Language} */
let current = 'en';

/** @returns {Language} */
export function language() {
  return current;
}

/**
 * Chooses: the address first, then what was chosen on an earlier visit, then what the browser prefers.
 * @param {string} search location.search
 * @param {string} remembered
 * @param {readonly string[]} preferred navigator.languages
 * @returns {Language}
 */
export function choose(search, remembered, preferred) {
  const asked = new URLSearchParams(search).get('lang');
  for (const wish of [asked, remembered, ...preferred]) {
    const short = (wish ?? '').slice(0, 2).toLowerCase();
    if (short === 'en' || short === 'fr') return short;
  }
  return 'en';
}

/**
 * The words for key, with {values} put in. A key with several forms takes the one for values.count.
 * @param {Key} key
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const entry = words[current][key];
  /** @type {string} */
  let text;
  if (typeof entry === 'string') {
    text = entry;
  } else {
    const form = new Intl.PluralRules(current).select(Number(values.count ?? 0));
    text = form === 'one' ? entry.one : entry.other;
  }
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/**
 * "Ada, Grace and Alan", in the page's language.
 * @param {string[]} names
 * @returns {string}
 */
export function list(names) {
  return new Intl.ListFormat(current, { type: 'conjunction' }).format(names);
}

/**
 * Writes the words into every element below root that names a key: data-t is its text, data-t-X the
 * attribute X.
 * @param {ParentNode} root
 */
export function translate(root) {
  for (const node of root.querySelectorAll('[data-t]')) {
    node.textContent = t(/** @type {Key} */ (node.getAttribute('data-t')));
  }
  for (const attribute of ['aria-label', 'placeholder', 'title']) {
    for (const node of root.querySelectorAll(`[data-t-${attribute}]`)) {
      node.setAttribute(attribute, t(/** @type {Key} */ (node.getAttribute(`data-t-${attribute}`))));
    }
  }
}

/**
 * Sets the page's language, and tells everybody by a "language" event on the document.
 * @param {Language} wanted
 * @param {boolean} [chosen] by hand, and so to be remembered
 */
export function setLanguage(wanted, chosen = false) {
  current = wanted;
  if (chosen) remember('language', wanted);
  document.documentElement.lang = wanted;
  translate(document);
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.getAttribute('data-language') === wanted));
  }
  document.dispatchEvent(new CustomEvent('language'));
}

/** Starts with the right language, and makes the switch in the footer work. */
export function startLanguage() {
  for (const button of document.querySelectorAll('[data-language]')) {
    button.addEventListener('click', () => {
      setLanguage(/** @type {Language} */ (button.getAttribute('data-language')), true);
    });
  }
  setLanguage(choose(location.search, recall('language'), navigator.languages));
}
