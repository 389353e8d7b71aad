// Which of the page's views is seen. There is one at a time; its heading gets the focus, so that a screen
// reader says where we are.

import { $, show } from './dom.js';

/** @typedef {'start'|'lobby'|'waiting'|'room'|'end'|'old'} View */

/** @type {View[]} */
const views = ['start', 'lobby', 'waiting', 'room', 'end', 'old'];

/**
 * @param {View} view
 */
export function showView(view) {
  const root = document.documentElement;
  const first = !root.dataset.view;
  root.dataset.view = view;
  for (const name of views) show($(`#view-${name}`), name === view);
  // During a call the name of the house leads nowhere: one wrong click would end the call.
  const brand = $('#brand');
  if (view === 'room' || view === 'waiting') brand.removeAttribute('href');
  else brand.setAttribute('href', `/${location.search}`);
  if (!first) {
    window.scrollTo(0, 0);
    $(`#view-${view} h1`).focus({ preventScroll: true });
  }
}

/**
 * @param {string[]} parts
 */
export function setTitle(...parts) {
  document.title = [...parts.filter(Boolean), 'Passerelle'].join(' · ');
}
