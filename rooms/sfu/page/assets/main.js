// The page's front door: which view, and how the parts know each other.

import { stayAwake } from './awake.js';
import { expose } from './debug.js';
import { $, on, setText, show } from './dom.js';
import { startLanguage, t } from './language.js';
import { errorKey, Lobby } from './lobby.js';
import { Meter } from './meter.js';
import { Microphone } from './microphone.js';
import { Room } from './room.js';
import { Session } from './session.js';
import { Speakers } from './speakers.js';
import { recall } from './store.js';
import { roomOf, startPage } from './start.js';
import { setTitle, showView } from './views.js';
import { WaitingRoom } from './waiting.js';

/** @returns {boolean} whether this browser lacks what the page stands on */
function tooOld() {
  return !('RTCPeerConnection' in window) || !('replaceTrack' in RTCRtpSender.prototype)
    || !('HTMLDialogElement' in window) || !('WebSocket' in window);
}

/** @param {string} name */
function enterRoom(name) {
  const microphone = new Microphone({ raw: new URLSearchParams(location.search).has('raw') });
  const speakers = new Speakers();
  speakers.choose(recall('speaker'));
  const lobby = new Lobby(name, microphone, speakers);
  const room = new Room(name, microphone, speakers);
  const waiting = new WaitingRoom(name);
  const meters = [...document.querySelectorAll('[data-meter]')].map((m) => /** @type {HTMLElement} */ (m));
  const meter = new Meter((level) => {
    for (const node of meters) {
      if (node.offsetParent) node.style.setProperty('--level', level.toFixed(2));
    }
    lobby.hear(level);
    room.hear(level);
  });
  /** @type {Session|null} */
  let session = null;

  on(microphone, 'change', () => {
    meter.watch(microphone.captured);
    session?.setTrack(microphone.track);
  });
  document.addEventListener('pointerdown', () => meter.wake());
  window.addEventListener('online', () => session?.hurry());
  window.addEventListener('offline', () => session?.offline());
  window.addEventListener('pagehide', () => session?.leave());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') session?.hurry();
  });

  on(lobby, 'join', ({ name: who, password, moderator, muted }) => {
    microphone.muted = muted;
    session = new Session(name);
    expose({ name, session, room, microphone, speakers });
    room.follow(session);
    on(session, 'slots', (slots) => speakers.play(slots.map((/** @type {any} */ s) => s.track)));
    on(session, 'state', ({ state, before, happening, why }) => {
      document.documentElement.dataset.state = state;
      stayAwake(state !== 'ended' && state !== 'idle');
      if (state === 'idle') lobby.show(why);
      if (state === 'knocking') waiting.show(who, happening === 'failed');
      if (state !== 'knocking') waiting.end();
      if (before === 'knocking' && state === 'in') speakers.chime();
      if (before === 'knocking' && happening === 'leave') {
        lobby.show();
      } else if (state === 'ended') {
        speakers.stop();
        microphone.close();
        showEnd(name, happening === 'refused' ? 'refused' : why, why);
      }
    });
    session.join({ name: who, password, moderator, track: microphone.track, muted: muted || !microphone.track });
  });
  on(room, 'leave', () => session?.leave());
  on(waiting, 'leave', () => session?.leave());
  $('#rejoin').addEventListener('click', () => {
    lobby.show();
    lobby.look();
  });

  lobby.show();
  lobby.look();
}

let drawEnd = () => {}; // writes the words of the end, once there is one
document.addEventListener('language', () => drawEnd());

/**
 * @param {string} name of the room
 * @param {string} how it ended
 * @param {string} code the server's reason
 */
function showEnd(name, how, code) {
  const titles = /** @type {const} */ ({
    left: 'endLeft', removed: 'endRemoved', closed: 'endClosed', replaced: 'endReplaced',
    shutdown: 'endShutdown', refused: 'endRefused', declined: 'endDeclined', unanswered: 'endUnanswered',
  });
  const texts = /** @type {const} */ ({
    left: 'endText', shutdown: 'endShutdownText', declined: 'endDeclinedText', unanswered: 'endUnansweredText',
  });
  if (how === 'refused' && code in texts) how = code;
  drawEnd = () => {
    setText($('#end-title'), t(titles[/** @type {keyof typeof titles} */ (how)] ?? 'endClosed'));
    const text = texts[/** @type {keyof typeof texts} */ (how)];
    setText($('#rejoin'), t(how === 'declined' || how === 'unanswered' ? 'askAgain' : 'rejoin'));
    setText($('#end-text'), how === 'refused' ? t(errorKey(code)) : text ? t(text) : '');
  };
  drawEnd();
  $('#other-room').setAttribute('href', `/${location.search}`);
  setTitle(name);
  showView('end');
}

startLanguage();
const room = roomOf(location.pathname);
if (tooOld()) showView('old');
else if (room) enterRoom(room);
else startPage(room === null);
show($('#link'), false);
