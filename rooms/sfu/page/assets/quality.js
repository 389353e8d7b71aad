// How good the connection is, from the browser's own counters.

const EVERY = 3000;
const LOSS = 0.08; // fraction of packets
const ROUND_TRIP = 0.5; // seconds

/**
 * @typedef {object} Counters
 * @property {number} received packets, since the beginning
 * @property {number} lost packets, since the beginning
 * @property {number} theirLoss fraction of ours that the server missed lately
 * @property {number} roundTrip seconds
 */

/**
 * @param {RTCStatsReport} report
 * @returns {Counters}
 */
export function counters(report) {
  const c = { received: 0, lost: 0, theirLoss: 0, roundTrip: 0 };
  for (const s of report.values()) {
    if (s.type === 'inbound-rtp') {
      c.received += s.packetsReceived ?? 0;
      c.lost += s.packetsLost ?? 0;
    } else if (s.type === 'remote-inbound-rtp') {
      c.theirLoss = s.fractionLost ?? 0;
    } else if (s.type === 'candidate-pair' && s.nominated) {
      c.roundTrip = s.currentRoundTripTime ?? 0;
    }
  }
  return c;
}

/**
 * @param {Counters} before
 * @param {Counters} now
 * @returns {'good'|'weak'}
 */
export function judge(before, now) {
  const lost = Math.max(0, now.lost - before.lost);
  const sent = lost + Math.max(0, now.received - before.received);
  const loss = sent > 20 ? lost / sent : 0; // a few packets say nothing
  return loss > LOSS || now.theirLoss > LOSS || now.roundTrip > ROUND_TRIP ? 'weak' : 'good';
}

/**
 * Watches the peer connection that current returns.
 * @param {() => RTCPeerConnection|null} current
 * @param {(quality: 'good'|'weak') => void} tell
 * @returns {() => void} stops
 */
export function watchQuality(current, tell) {
  /** @type {RTCPeerConnection|null} */
  let pc = null;
  /** @type {Counters|null} */
  let before = null;
  const timer = setInterval(async () => {
    if (pc !== current()) before = null;
    pc = current();
    if (pc?.connectionState !== 'connected') return;
    const now = counters(await pc.getStats());
    if (before) tell(judge(before, now));
    before = now;
  }, EVERY);
  return () => clearInterval(timer);
}
