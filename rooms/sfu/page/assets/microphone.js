// The microphone: asking for it, losing it, changing it. What is sent is a copy of what is captured, so
// that mute silences the copy while the meter still sees that somebody speaks in vain.

/** @typedef {'refused'|'dismissed'|'absent'|'busy'|'insecure'|'failed'} Trouble */

/** Why there is no microphone. */
export class MicrophoneError extends Error {
  /** @param {Trouble} trouble */
  constructor(trouble) {
    super(trouble);
    this.trouble = trouble;
  }
}

/**
 * The trouble behind what getUserMedia threw.
 * @param {unknown} error
 * @param {PermissionState|'unknown'} permission what the browser has on record
 * @returns {Trouble}
 */
export function trouble(error, permission) {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return permission === 'prompt' ? 'dismissed' : 'refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'absent';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** @returns {Promise<PermissionState|'unknown'>} what the browser would say, without asking anybody */
export async function permission() {
  try {
    const status = await navigator.permissions.query({ name: /** @type {any} */ ('microphone') });
    return status.state;
  } catch {
    return 'unknown';
  }
}

/**
 * Dispatches "change" (another track, or none) and "lost" (the device was pulled out).
 */
export class Microphone extends EventTarget {
  #raw;
  /** @type {MediaStreamTrack|null} */
  #captured = null;
  /** @type {MediaStreamTrack|null} */
  #sent = null;
  #muted = false;

  /**
   * @param {{raw: boolean}} options raw: no echo cancelling, noise suppression or gain control (tests)
   */
  constructor({ raw }) {
    super();
    this.#raw = raw;
  }

  /** @returns {MediaStreamTrack|null} what is captured, muted or not: for the meter only */
  get captured() {
    return this.#captured;
  }

  /** @returns {MediaStreamTrack|null} what may be sent */
  get track() {
    return this.#sent;
  }

  /** @returns {string} */
  get deviceId() {
    return this.#captured?.getSettings().deviceId ?? '';
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.#sent) this.#sent.enabled = !muted;
  }

  /**
   * Opens a microphone in place of the present one.
   * @param {string} [deviceId] '' is whichever the browser prefers
   * @returns {Promise<void>}
   * @throws {MicrophoneError}
   */
  async open(deviceId = '') {
    if (!navigator.mediaDevices) throw new MicrophoneError('insecure');
    const processing = !this.#raw;
    /** @type {MediaTrackConstraints} */
    const audio = {
      echoCancellation: processing, noiseSuppression: processing, autoGainControl: processing,
      channelCount: 1,
      ...(deviceId && { deviceId: { exact: deviceId } }),
    };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      // The device of an earlier visit may be at home: any other will do.
      if (deviceId && error instanceof Error && error.name === 'OverconstrainedError') return this.open();
      throw new MicrophoneError(trouble(error, await permission()));
    }
    this.#take(stream.getAudioTracks()[0]);
  }

  close() {
    this.#take(null);
  }

  /** @param {MediaStreamTrack|null} captured */
  #take(captured) {
    const before = [this.#captured, this.#sent];
    this.#captured = captured;
    this.#sent = captured?.clone() ?? null;
    if (this.#sent) {
      this.#sent.enabled = !this.#muted;
      this.#sent.contentHint = 'speech';
    }
    captured?.addEventListener('ended', () => {
      if (captured !== this.#captured) return;
      this.#take(null);
      this.dispatchEvent(new CustomEvent('lost'));
    });
    for (const track of before) track?.stop();
    this.dispatchEvent(new CustomEvent('change'));
  }
}
