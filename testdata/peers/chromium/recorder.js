// Runs in the page before the page's own scripts: keeps every peer connection in view, and records the
// sum of all tracks that come in, as the loudspeaker would play it. A page that knows whose track is whose
// has each person recorded alone, too.
(() => {
  'use strict';
  const Native = window.RTCPeerConnection;
  const connections = [];
  const tapes = {}; // by name; '' is the sum
  const sources = [];
  let context = null;

  // A ScriptProcessor is old, but needs no module that the page's policy would have to allow, and its
  // longest buffer forgives a page that is busy for a third of a second.
  function begin() {
    context ??= new AudioContext({ sampleRate: 48000 });
    const node = context.createScriptProcessor(16384, 1, 1);
    const chunks = [];
    node.onaudioprocess = ({ inputBuffer }) => {
      const chunk = new Int16Array(inputBuffer.length);
      inputBuffer.getChannelData(0).forEach((v, i) => { chunk[i] = Math.round(Math.max(-1, Math.min(1, v)) * 32767); });
      chunks.push(chunk);
    };
    node.connect(context.destination); // which pulls; what comes out is silence
    return { node, chunks, tracks: new Set() };
  }

  function record(name, track) {
    const tape = (tapes[name] ??= begin());
    // A track is announced again when its transceiver changes direction; it is one sound still.
    if (tape.tracks.has(track)) return;
    tape.tracks.add(track);
    const stream = new MediaStream([track]);
    // Chromium moves a remote track's sound only for a media element.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => {});
    const source = context.createMediaStreamSource(stream);
    source.connect(tape.node);
    sources.push({ element, source });
  }

  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      connections.push(this);
      this.addEventListener('track', ({ track }) => {
        if (track.kind === 'audio') record('', track);
      });
    }
  };

  window.__recorder = {
    connections,
    also: record,
    // All that was heard so far, of everybody or of one: 16-bit samples, in base64.
    take(name = '') {
      const chunks = tapes[name]?.chunks ?? [];
      const length = chunks.reduce((n, c) => n + c.length, 0);
      const pcm = new Int16Array(length);
      let at = 0;
      for (const chunk of chunks) {
        pcm.set(chunk, at);
        at += chunk.length;
      }
      const bytes = new Uint8Array(pcm.buffer);
      let text = '';
      for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return { pcm: btoa(text), rate: 48000 };
    },
    async stats() {
      const all = [];
      for (const connection of connections) {
        const reports = [];
        (await connection.getStats()).forEach((r) => reports.push(r));
        all.push({ state: connection.connectionState, reports });
      }
      return all;
    },
  };
})();
