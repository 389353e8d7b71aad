// Keeps a telephone's screen on during the call: many stop the microphone when it goes dark.

/** @type {WakeLockSentinel|null} */
let lock = null;
let wanted = false;

async function take() {
  if (!wanted || lock || document.visibilityState !== 'visible') return;
  try {
    lock = await navigator.wakeLock.request('screen');
    lock.addEventListener('release', () => { lock = null; });
  } catch {
    // No such thing here, or the battery is low: the screen may go dark.
  }
}

/** @param {boolean} awake */
export function stayAwake(awake) {
  wanted = awake;
  if (awake) take();
  else lock?.release();
}

document.addEventListener('visibilitychange', take);
