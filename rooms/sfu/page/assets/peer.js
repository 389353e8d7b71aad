// One peer connection: a microphone and a fixed number of slots, agreed once and never again. The server
// is ICE lite and writes its candidates into the answer, so that the offer leaves at once, without ours.

/** How many voices are heard at a time, where the server does not say. */
export const SLOTS = 8;

// A connection that broke may mend itself (ICE consent, RFC 7675): it gets this long.
const MEND = 4000;
// ... and one that never came up this long.
const COME_UP = 12_000;

/**
 * Dispatches "up" (sound flows), "shaky" (it may come back by itself) and "down" (it will not).
 */
export class Peer extends EventTarget {
  #pc;
  #microphone;
  #slots;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {MediaStreamTrack|null} track the microphone; null listens only, until setTrack
   * @param {number} [slots]
   */
  constructor(track, slots = SLOTS) {
    super();
    this.#pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#microphone = this.#pc.addTransceiver(track ?? 'audio', { direction: 'sendonly' });
    this.#slots = Array.from({ length: slots }, () => this.#pc.addTransceiver('audio', { direction: 'recvonly' }));
    for (const transceiver of this.#pc.getTransceivers()) onlyOpus(transceiver);
    this.#pc.addEventListener('connectionstatechange', () => this.#changed());
  }

  /** @returns {RTCPeerConnection} */
  get pc() {
    return this.#pc;
  }

  /** @returns {boolean} whether sound flows now */
  get up() {
    return this.#pc.connectionState === 'connected';
  }

  /** @returns {{mid: string|null, track: MediaStreamTrack}[]} the slots, in their order */
  get slots() {
    return this.#slots.map((s) => ({ mid: s.mid, track: s.receiver.track }));
  }

  /** @returns {Promise<string>} the offer, as SDP */
  async offer() {
    await this.#pc.setLocalDescription();
    return preferSilence(this.#pc.localDescription?.sdp ?? '');
  }

  /**
   * @param {string} sdp the server's answer
   */
  async accept(sdp) {
    this.#timer = setTimeout(() => this.#tell('down'), COME_UP);
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
  }

  /**
   * Speaks with another microphone, or with none; nothing is negotiated.
   * @param {MediaStreamTrack|null} track
   */
  async setTrack(track) {
    if (this.#pc.signalingState !== 'closed') await this.#microphone.sender.replaceTrack(track);
  }

  close() {
    clearTimeout(this.#timer);
    this.#pc.close();
  }

  #changed() {
    const state = this.#pc.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#tell('up');
    } else if (state === 'disconnected') {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#tell('down'), MEND);
      this.#tell('shaky');
    } else if (state === 'failed') {
      clearTimeout(this.#timer);
      this.#tell('down');
    }
  }

  /** @param {'up'|'shaky'|'down'} type */
  #tell(type) {
    this.dispatchEvent(new CustomEvent(type));
  }
}

/**
 * Offers Opus and nothing else, where the browser lets us choose.
 * @param {RTCRtpTransceiver} transceiver
 */
function onlyOpus(transceiver) {
  const known = RTCRtpReceiver.getCapabilities?.('audio')?.codecs ?? [];
  const opus = known.filter((c) => c.mimeType.toLowerCase() === 'audio/opus');
  if (opus.length && 'setCodecPreferences' in transceiver) transceiver.setCodecPreferences(opus);
}

/**
 * Says that we like to receive nothing while nobody speaks, and repaired loss (RFC 7587 section 6.1).
 * @param {string} sdp
 * @returns {string}
 */
export function preferSilence(sdp) {
  const type = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im.exec(sdp)?.[1];
  if (!type) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${type} )([^\\r\\n]*)`, 'gm'), (_, head, rest) => {
    const kept = rest.split(';').map((/** @type {string} */ p) => p.trim())
      .filter((/** @type {string} */ p) => p && !/^(usedtx|useinbandfec|stereo)=/.test(p));
    return head + [...kept, 'useinbandfec=1', 'usedtx=1', 'stereo=0'].join(';');
  });
}
