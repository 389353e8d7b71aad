// Who is here, as plain values: what changed between two rosters, and how a person is drawn in letters.

/** @typedef {import('./session.js').Person} Person */

/**
 * @param {readonly Person[]} before
 * @param {readonly Person[]} now
 * @returns {{joined: Person[], left: Person[], muted: Person[], unmuted: Person[], raised: Person[]}}
 */
export function compare(before, now) {
  const was = new Map(before.map((p) => [p.id, p]));
  const is = new Set(now.map((p) => p.id));
  const stayed = now.filter((p) => was.has(p.id));
  return {
    joined: now.filter((p) => !was.has(p.id)),
    left: before.filter((p) => !is.has(p.id)),
    muted: stayed.filter((p) => p.muted && !was.get(p.id)?.muted),
    unmuted: stayed.filter((p) => !p.muted && was.get(p.id)?.muted),
    raised: now.filter((p) => p.hand && !was.get(p.id)?.hand),
  };
}

/**
 * The first letters of the first and the last word: "Ada Lovelace" is AL.
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter((w) => /[\p{L}\p{N}]/u.test(w));
  const letters = words.map((w) => /[\p{L}\p{N}]/u.exec(w)?.[0] ?? '');
  const both = letters.length > 1 ? [letters[0], letters[letters.length - 1]] : letters;
  return both.join('').toUpperCase();
}

/**
 * Ourselves first; the others stay where they are, so that nobody jumps about.
 * @param {readonly Person[]} people
 * @param {string} self id
 * @returns {Person[]}
 */
export function order(people, self) {
  return [...people.filter((p) => p.id === self), ...people.filter((p) => p.id !== self)];
}

/** Louder than this, in -dBov, is speech. */
export const SPEECH = 60;

/**
 * How bright a light is at a level: 0 (dark) to 1.
 * @param {number|undefined} level -dBov; 127 is silence
 * @returns {number}
 */
export function brightness(level = 127) {
  if (level >= SPEECH) return 0;
  return Math.min(1, 0.25 + (SPEECH - level) / 45);
}
