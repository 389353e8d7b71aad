// Runs in the page before the page's own scripts: keeps every peer connection in view, and records the
// sum of all tracks that come in, as the loudspeaker would play it.
(() => {
  'use strict';
  const Native = window.RTCPeerConnection;
  const connections = [];
  const chunks = [];
  const sources = [];
  let started = null;

  // A ScriptProcessor is old, but needs no module that the page's policy would have to allow, and its
  // longest buffer forgives a page that is busy for a third of a second.
  function begin() {
    const context = new AudioContext({ sampleRate: 48000 });
    const node = context.createScriptProcessor(16384, 1, 1);
    node.onaudioprocess = ({ inputBuffer }) => {
      const chunk = new Int16Array(inputBuffer.length);
      inputBuffer.getChannelData(0).forEach((v, i) => { chunk[i] = Math.round(Math.max(-1, Math.min(1, v)) * 32767); });
      chunks.push(chunk);
    };
    node.connect(context.destination); // which pulls; what comes out is silence
    return { context, node };
  }

  function record(track) {
    started ??= begin();
    const { context, node } = started;
    const stream = new MediaStream([track]);
    // Chromium moves a remote track's sound only for a media element.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => {});
    const source = context.createMediaStreamSource(stream);
    source.connect(node);
    sources.push({ element, source });
  }

  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      connections.push(this);
      this.addEventListener('track', ({ track }) => {
        if (track.kind === 'audio') record(track);
      });
    }
  };

  window.__recorder = {
    connections,
    // All that was heard so far: 16-bit samples, in base64.
    take() {
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
