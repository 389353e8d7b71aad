// What tests may see and hold, as window.passerelle; the page itself never reads it. It exists from the
// moment that somebody presses Join:
//
//   room         the room's name
//   state        idle, joining, knocking, in, waiting, rejoining, ended (states.js)
//   health       connecting, good, weak, reconnecting
//   id, people   our own id, and the roster as the server sent it
//   moderator    whether we are one
//   levels       the last level heard of each participant, -dBov
//   pc           the RTCPeerConnection in use (another one after a reconnection), or null
//   slots        [{mid, track, audio}]: the slots in order, and the element that plays each
//   microphone   {track, muted}: what is sent
//   stats()      a promise of getStats() as an array
//
// The document says the same to style sheets and selectors: <html data-view data-state data-link>, and on
// each .person data-id, data-kind, data-muted, data-self, data-speaking.

import { on } from './dom.js';

/**
 * @param {{name: string, session: import('./session.js').Session, room: import('./room.js').Room,
 *   microphone: import('./microphone.js').Microphone, speakers: import('./speakers.js').Speakers}} parts
 */
export function expose({ name, session, room, microphone, speakers }) {
  /** @type {Record<string, number>} */
  const levels = {};
  on(session, 'levels', (changed) => Object.assign(levels, changed));
  /** @type {any} */ (window).passerelle = {
    room: name,
    levels,
    get state() { return session.state; },
    get health() { return room.health; },
    get id() { return session.id; },
    get people() { return session.people; },
    get moderator() { return session.moderator; },
    get pc() { return session.pc; },
    get slots() { return session.slots.map((slot, i) => ({ ...slot, audio: speakers.elements[i] })); },
    get microphone() { return { track: microphone.track, muted: microphone.muted }; },
    stats: async () => [...(await session.pc?.getStats() ?? new Map()).values()],
  };
}
