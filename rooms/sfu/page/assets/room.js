// The room, once we are in it: people, lights, connection, buttons, dialogs. It shows what the session
// says and tells the session what was pressed.

import { callWords, Desk } from './desk.js';
import { $, on, setText, show } from './dom.js';
import { Dock } from './dock.js';
import { drawWays } from './invite.js';
import { list, t } from './language.js';
import { Link } from './link.js';
import { Notice } from './notice.js';
import { compare } from './people.js';
import { watchQuality } from './quality.js';
import { SoundPanel } from './sound.js';
import { recall, remember } from './store.js';
import { Tiles } from './tiles.js';
import { setTitle, showView } from './views.js';

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./session.js').Person} Person */

/** The view. Dispatches "leave". */
export class Room extends EventTarget {
  #name;
  #microphone;
  #speakers;
  /** @type {Session|null} */
  #session = null;
  #tiles = new Tiles($('#people'));
  #notice = new Notice($('#notice'));
  #link = new Link(() => this.#session?.hurry());
  #dock;
  #desk = new Desk();
  #panel;
  /** @type {readonly Person[]|null} null before the first roster */
  #people = null;
  /** @type {import('./invite.js').Dial[]} */
  #dial = [];
  #stopQuality = () => {};
  #soundDialog = /** @type {HTMLDialogElement} */ ($('#sound'));
  #inviteDialog = /** @type {HTMLDialogElement} */ ($('#invite'));

  /**
   * @param {string} name
   * @param {import('./microphone.js').Microphone} microphone
   * @param {import('./speakers.js').Speakers} speakers
   */
  constructor(name, microphone, speakers) {
    super();
    this.#name = name;
    this.#microphone = microphone;
    this.#speakers = speakers;
    this.#dock = new Dock(microphone);
    this.#panel = new SoundPanel(this.#soundDialog, microphone, speakers);
    setText($('#room-title'), name);
    this.#listen();
  }

  /** @returns {import('./link.js').Health} */
  get health() {
    return this.#link.health;
  }

  /** @param {number} level 0 to 1, of the microphone */
  hear(level) {
    this.#dock.hear(level);
  }

  /**
   * Follows a session; to be called before it joins.
   * @param {Session} session
   */
  follow(session) {
    this.#session = session;
    this.#people = null;
    this.#dial = [];
    this.#tiles.clear();
    on(session, 'room', (message) => this.#hearOf(message));
    on(session, 'joined', (message) => this.#hearOf(message));
    on(session, 'state', ({ state, before, why }) => this.#state(state, before, why));
    on(session, 'roster', (people) => this.#roster(people));
    on(session, 'levels', (levels) => this.#tiles.light(levels));
    on(session, 'muted', (muted) => this.#mutedByOther(muted));
    on(session, 'desk', (desk) => {
      this.#desk.follow(desk);
      this.#title();
    });
    on(session, 'problem', (code) => {
      if (code === 'calls') this.#notice.say(t('callsRefused'));
    });
    on(session, 'message', ({ kind, from, text }) => {
      const name = this.#people?.find((p) => p.id === from)?.name;
      if (kind === 'text' && name) this.#notice.say(t('note', { name, text }));
    });
    on(session, 'media', (media) => {
      if (session.state === 'in') this.#link.set(media === 'up' ? 'good' : 'connecting');
    });
  }

  #listen() {
    on(this.#dock, 'leave', () => this.dispatchEvent(new CustomEvent('leave')));
    on(this.#dock, 'mute', ({ muted, quietly }) => this.#mute(muted, quietly));
    on(this.#dock, 'microphone', () => this.#wantMicrophone());
    on(this.#dock, 'hand', (raised) => this.#session?.setHand(raised));
    on(this.#desk, 'act', ({ act, whom }) => this.#session?.moderate(act, whom));
    on(this.#desk, 'knocked', (names) => {
      this.#notice.say(t('knocked', { names: list(names) }));
      this.#speakers.knock();
    });
    on(this.#desk, 'called', ({ id, number, state }) => {
      this.#notice.say(t('note', { name: number, text: t(callWords(state)) }), `call ${id}`);
    });
    on(this.#tiles, 'more', ({ id, near }) => {
      const person = this.#people?.find((p) => p.id === id);
      if (person) this.#desk.open(person, near);
    });
    on(this.#microphone, 'lost', () => this.#microphoneLost());
    on(this.#panel, 'trouble', () => setText($('#sound-error'), t('deviceFailed')));
    on(this.#panel, 'chosen', () => setText($('#sound-error'), ''));
    on(this.#speakers, 'blocked', () => show($('#blocked'), true));
    $('#blocked-go').addEventListener('click', () => {
      show($('#blocked'), false);
      this.#speakers.start();
    });
    $('#sound-open').addEventListener('click', () => this.#openSound());
    $('#invite-open').addEventListener('click', () => {
      drawWays($('#invite-ways'), this.#dial);
      this.#inviteDialog.showModal();
    });
    document.addEventListener('language', () => {
      if (this.#people) this.#draw();
    });
  }

  /** @param {{dial?: import('./invite.js').Dial[]}} message */
  #hearOf(message) {
    if (Array.isArray(message.dial)) this.#dial = message.dial;
  }

  /**
   * @param {import('./states.js').State} state
   * @param {import('./states.js').State} before
   * @param {string} why
   */
  #state(state, before, why) {
    const session = /** @type {Session} */ (this.#session);
    if (state === 'in') {
      if (before === 'joining' || before === 'knocking') this.#enter();
      else this.#notice.say(t('backSaid'), 'link');
      this.#link.set(session.mediaUp ? 'good' : 'connecting');
    } else if (state === 'waiting') {
      this.#tiles.dark();
      if (before === 'in') this.#notice.say(t('lostSaid'), 'link');
      this.#link.lost(why, session.retryAt);
    } else if (state === 'rejoining') {
      this.#link.lost(why, null);
    } else if (state === 'knocking') { // the place was kept for too long, say
      if (before !== 'joining') this.#end();
      this.#people = null;
    } else if (state === 'ended') {
      this.#end();
    }
  }

  #enter() {
    this.#dock.active = true;
    this.#desk.active = !!this.#session?.moderator;
    this.#title();
    showView('room');
    this.#stopQuality = watchQuality(() => this.#session?.pc ?? null, (quality) => {
      if (this.#session?.state === 'in' && this.#session.mediaUp) this.#link.set(quality);
    });
  }

  #end() {
    this.#stopQuality();
    this.#dock.active = false;
    this.#desk.active = false;
    this.#link.hide();
    this.#notice.clear();
    show($('#blocked'), false);
    this.#soundDialog.close();
    this.#inviteDialog.close();
  }

  /** @param {readonly Person[]} people */
  #roster(people) {
    const self = this.#session?.id ?? '';
    if (!this.#people) {
      const others = people.filter((p) => p.id !== self).length;
      this.#notice.say(others ? t('entered', { count: others }) : t('enteredAlone'));
    } else {
      const { joined, left, raised } = compare(this.#people, people);
      if (joined.length) this.#notice.say(t('joined', { names: list(joined.map((p) => p.name)) }));
      const asks = raised.filter((p) => p.id !== self);
      if (asks.length) this.#notice.say(t('handSaid', { names: list(asks.map((p) => p.name)) }));
      if (left.length) this.#notice.say(t('left', { names: list(left.map((p) => p.name)) }));
    }
    this.#people = people;
    this.#draw();
  }

  #draw() {
    const people = this.#people ?? [];
    const self = this.#session?.id ?? '';
    this.#tiles.draw(people, self, !this.#microphone.track, this.#session?.moderator);
    this.#dock.raised = !!people.find((p) => p.id === self)?.hand;
    this.#desk.roster(people);
    setText($('#people-count'), t('people', { count: people.length }));
    const alone = people.length <= 1;
    if (alone) drawWays($('#alone-ways'), this.#dial);
    show($('#alone'), alone);
  }

  /**
   * @param {boolean} muted
   * @param {boolean} [quietly] the space bar is held and let go: the button says it
   */
  #mute(muted, quietly = false) {
    if (!muted && this.#session?.held) {
      if (!quietly) this.#notice.say(t('heldHint'), 'mute');
      return;
    }
    this.#microphone.muted = muted;
    this.#session?.setMuted(muted);
    this.#dock.draw();
    if (!quietly) this.#notice.say(t(muted ? 'mutedSaid' : 'unmutedSaid'), 'mute');
    this.#title();
  }

  #title() {
    const { waiting } = this.#desk;
    setTitle(waiting ? `(${waiting}) ${this.#name}` : this.#name, this.#microphone.muted ? t('muted') : '');
  }

  /**
   * Somebody else mutes us at once; to be heard again is for ourselves to decide.
   * @param {boolean} muted
   */
  #mutedByOther(muted) {
    if (muted) {
      this.#microphone.muted = true;
      this.#dock.draw();
    } else if (this.#microphone.muted) {
      this.#session?.setMuted(true);
    }
    const held = this.#session?.held ? 'heldByOther' : 'mutedByOther';
    this.#notice.say(t(muted ? held : 'unmutedByOther'), 'mute');
  }

  async #wantMicrophone() {
    try {
      await this.#microphone.open(recall('microphone'));
      this.#mute(false);
    } catch (error) {
      const trouble = /** @type {any} */ (error).trouble ?? 'failed';
      setText($('#sound-error'), t(/** @type {any} */ (`${trouble}Title`)));
      this.#openSound();
    }
  }

  async #microphoneLost() {
    if (!this.#people) return;
    try {
      await this.#microphone.open();
      remember('microphone', '');
      this.#notice.say(t('microphoneBack'));
    } catch {
      this.#session?.setMuted(true);
      this.#notice.say(t('microphoneLost'));
    }
  }

  #openSound() {
    this.#panel.refresh();
    this.#soundDialog.showModal();
  }
}
