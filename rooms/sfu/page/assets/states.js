// Being in a room, as a table: state x event -> next state. Nothing here does anything; session.js does.
//
//   idle      nobody has asked to join, or the room refused: the lobby
//   joining   the first connection is being made
//   knocking  in the waiting room, over as many connections as it takes: a moderator has to open
//   in        in the room
//   waiting   the connection was lost; the next attempt is some seconds off
//   rejoining an attempt is under way; the seat is kept by the server meanwhile
//   ended     left, removed, or the room has gone; nothing follows

/** @typedef {'idle'|'joining'|'knocking'|'in'|'waiting'|'rejoining'|'ended'} State */
/** @typedef {'join'|'waiting'|'joined'|'refused'|'failed'|'lost'|'back'|'retry'|'ended'|'leave'} Happening */

/** @type {Record<State, Partial<Record<Happening, State>>>} */
const table = {
  idle: { join: 'joining' },
  joining: { joined: 'in', waiting: 'knocking', refused: 'idle', failed: 'idle', ended: 'ended', leave: 'ended' },
  knocking: {
    joined: 'in', waiting: 'knocking', failed: 'knocking', retry: 'knocking', refused: 'ended', ended: 'ended', leave: 'ended',
  },
  in: { lost: 'waiting', ended: 'ended', leave: 'ended' },
  waiting: { retry: 'rejoining', back: 'in', ended: 'ended', leave: 'ended' },
  rejoining: { joined: 'in', waiting: 'knocking', failed: 'waiting', refused: 'ended', ended: 'ended', leave: 'ended' },
  ended: {},
};

/**
 * The state after happening, or null where it means nothing (and changes nothing).
 * @param {State} state
 * @param {Happening} happening
 * @returns {State|null}
 */
export function next(state, happening) {
  return table[state][happening] ?? null;
}

const FIRST = 400;
const LONGEST = 15_000;

/**
 * How long to wait before attempt number n (the first is 0), in milliseconds: twice as long each time, up
 * to 15 s, and spread by a quarter either way so that a room full of browsers does not return at once.
 * @param {number} n
 * @param {number} random 0 to 1
 * @returns {number}
 */
export function delay(n, random) {
  const base = Math.min(FIRST * 2 ** Math.min(n, 10), LONGEST);
  return Math.round(base * (0.75 + random / 2));
}
