// How others come in: the link for a browser, and what to dial, where the server says so.

import { $, el, icon, setText } from './dom.js';
import { t } from './language.js';

/**
 * @typedef {object} Dial what the server may say in "room" or "joined", as a list called dial
 * @property {string} [number] for people, such as +33 1 23 45 67 89
 * @property {string} [uri] for SIP telephones, such as sip:board@rooms.example.org
 * @property {string} [pin]
 */

/**
 * Writes the ways into a room.
 * @param {HTMLElement} root
 * @param {Dial[]} dial
 */
export function drawWays(root, dial) {
  const link = location.origin + location.pathname;
  const ways = [way(t('inviteLink'), link, 'window')];
  for (const { number, uri, pin } of dial) {
    if (number) ways.push(way(t('invitePhone'), number, 'phone', pin));
    if (uri) ways.push(way(t('inviteSip'), uri.replace(/^sip:/, ''), 'phone', pin));
  }
  root.replaceChildren(...ways);
}

/**
 * @param {string} label
 * @param {string} value
 * @param {string} picture
 * @param {string} [pin]
 * @returns {HTMLElement}
 */
function way(label, value, picture, pin = '') {
  const node = el('div', 'way');
  const words = el('p', 'way-words');
  const code = el('code', '', value);
  words.append(el('span', 'way-label', label), code);
  if (pin) words.append(el('span', 'way-pin', `${t('pin')} ${pin}`));
  const button = el('button', 'button quiet');
  button.type = 'button';
  button.append(el('span', '', t('copy')));
  button.setAttribute('aria-label', `${t('copy')}: ${value}`);
  button.addEventListener('click', () => copy(pin ? `${value}, ${t('pin')} ${pin}` : value, code, button));
  node.append(icon(picture), words, button);
  return node;
}

/**
 * @param {string} value
 * @param {HTMLElement} code is selected where the browser does not let us copy (a page without https)
 * @param {HTMLElement} button
 */
async function copy(value, code, button) {
  try {
    await navigator.clipboard.writeText(value);
    setText($('span', button), t('copied'));
    setTimeout(() => setText($('span', button), t('copy')), 2500);
  } catch {
    getSelection()?.selectAllChildren(code);
  }
}
