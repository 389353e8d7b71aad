// Calls over SIP through a WebSocket with JsSIP, as an application does, and tells the test what happens:
// window.telephone is driven and asked by expressions that the test evaluates in the page.
'use strict';

window.telephone = (() => {
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const story = []; // what happened, in order
  let agent = null;
  let session = null;

  const tell = (what, more = '') => story.push(more ? `${what} ${more}` : what);

  return {
    // start opens the WebSocket. Nobody registers.
    start({ url, name }) {
      const socket = new JsSIP.WebSocketInterface(url);
      agent = new JsSIP.UA({ sockets: [socket], uri: `sip:${name}@browser.invalid`, register: false, session_timers: false });
      agent.on('connected', () => tell('connected'));
      agent.on('disconnected', () => tell('disconnected'));
      agent.start();
    },
    call(uri) {
      session = agent.call(uri, {
        mediaConstraints: { audio: raw, video: false },
        pcConfig: { iceServers: [] },
        eventHandlers: {
          progress: () => tell('progress'),
          confirmed: () => tell('confirmed'),
          ended: ({ originator, cause, message }) => tell('ended', `${originator} ${cause} ${message?.getHeader?.('Reason') ?? ''}`),
          failed: ({ originator, cause }) => tell('failed', `${originator} ${cause}`),
          hold: ({ originator }) => tell('hold', originator),
          unhold: ({ originator }) => tell('unhold', originator),
        },
      });
    },
    hangup: () => session.terminate(),
    // hold and unhold tell when the other side has agreed.
    hold: () => session.hold({}, () => tell('held')),
    unhold: () => session.unhold({}, () => tell('back')),
    press: (keys, transportType) => session.sendDTMF(keys, { transportType, duration: 120, interToneGap: 80 }),
    told: (what) => story.some((line) => line === what || line.startsWith(`${what} `)),
    last: () => story.at(-1),
    story: () => story,
    stop: () => agent.stop(),
  };
})();
