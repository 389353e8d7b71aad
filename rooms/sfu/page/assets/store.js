// What the browser remembers between visits: name, devices, language, keys. A browser that forbids
// storage forgets, and nothing else changes.

const PREFIX = 'passerelle.';

/**
 * @param {string} key
 * @returns {string} what was remembered, or ''
 */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {string} key
 * @param {string} value '' forgets
 */
export function remember(key, value) {
  try {
    if (value) localStorage.setItem(PREFIX + key, value);
    else localStorage.removeItem(PREFIX + key);
  } catch {
    // Storage is full or forbidden: the visit goes on without it.
  }
}
