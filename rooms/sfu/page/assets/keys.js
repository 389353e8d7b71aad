// The keyboard in the room: M mutes and unmutes; the space bar, held down, lets a muted person speak.
// Both can be switched off (WCAG 2.1.4), and neither is heard while something else wants the key.

/**
 * @typedef {object} Keys
 * @property {() => boolean} enabled
 * @property {() => boolean} muted
 * @property {() => void} toggle
 * @property {(talking: boolean) => void} hold
 */

/**
 * Whether a key pressed at target belongs to it: letters to fields, the space bar to buttons as well.
 * @param {EventTarget|null} target
 * @param {boolean} space
 * @returns {boolean}
 */
export function taken(target, space) {
  if (!(target instanceof Element)) return false;
  if (target.closest('input, select, textarea, [contenteditable]')) return true;
  return space && target.closest('button, a, summary, dialog') !== null;
}

/**
 * @param {Keys} keys
 */
export function watchKeys({ enabled, muted, toggle, hold }) {
  let holding = false;
  const release = () => {
    if (!holding) return;
    holding = false;
    hold(false);
  };
  document.addEventListener('keydown', (event) => {
    if (!enabled() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.code === 'Space' && !taken(event.target, true)) {
      event.preventDefault(); // the page would scroll
      if (event.repeat || holding || !muted()) return;
      holding = true;
      hold(true);
    } else if (event.key.toLowerCase() === 'm' && !event.repeat && !taken(event.target, false)) {
      toggle();
    }
  });
  document.addEventListener('keyup', (event) => {
    if (event.code === 'Space') release();
  });
  window.addEventListener('blur', release);
}
