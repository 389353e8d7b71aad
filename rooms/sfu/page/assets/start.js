// The start page: the name of a room, and away.

import { $, setText } from './dom.js';
import { t } from './language.js';
import { setTitle, showView } from './views.js';

const LONGEST = 64;

/**
 * Whether a room may have this name; the same rule as RoomName in page.go.
 * @param {string} name
 * @returns {boolean}
 */
export function validRoom(name) {
  return [...name].length <= LONGEST && /^[\p{L}\p{Nd}+][\p{L}\p{M}\p{Nd}\-_.+]*$/u.test(name);
}

/**
 * What was typed, as a name: spaces become hyphens.
 * @param {string} typed
 * @returns {string}
 */
export function roomName(typed) {
  return typed.trim().normalize('NFC').replace(/\s+/g, '-');
}

/**
 * The room of an address; '' on the start page, null where the path cannot be a room's name.
 * @param {string} pathname
 * @returns {string|null}
 */
export function roomOf(pathname) {
  if (pathname === '/') return '';
  try {
    const name = decodeURIComponent(pathname.slice(1));
    return validRoom(name) ? name : null;
  } catch {
    return null;
  }
}

/** @returns {string} six digits: dialled on any telephone, and hardly ever taken */
function freshRoom() {
  const [n] = crypto.getRandomValues(new Uint32Array(1));
  return String(100_000 + (n % 900_000));
}

/**
 * @param {boolean} bad the address was not a room's name
 */
export function startPage(bad) {
  const input = /** @type {HTMLInputElement} */ ($('#room-name'));
  const error = $('#room-error');
  const complain = (/** @type {boolean} */ wrong) => {
    input.setAttribute('aria-invalid', String(wrong));
    setText(error, wrong ? t('roomBad') : '');
  };
  $('#start-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = roomName(input.value);
    if (validRoom(name)) {
      location.assign(`/${encodeURIComponent(name)}${location.search}`);
      return;
    }
    complain(true);
    input.focus();
  });
  input.addEventListener('input', () => complain(false));
  const fresh = freshRoom();
  const link = $('#room-new');
  link.setAttribute('href', `/${fresh}${location.search}`);
  setText(link, fresh);
  setTitle();
  showView('start');
  complain(bad);
}
