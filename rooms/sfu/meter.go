package sfu

import (
	"sync/atomic"
	"time"

	"passerelle/codec"
)

// speaking is the level, in -dBov, from which a voice counts as speech.
const speaking = 60

// lull is how long a voice may send nothing and still be as loud as it was: packets come late, too.
const lull = 300 * time.Millisecond

// meter follows how loud a voice is. note is called by whoever forwards the voice, one goroutine at a
// time; the rest by anybody.
type meter struct {
	peak     atomic.Uint32 // 1 + the loudest, in dB above silence, since take was called; 0 for no packet
	loudness atomic.Int32  // in dB above silence, rising at once and falling slowly
	noted    atomic.Int64  // when a packet came last, by the clock of the SFU
	spoke    atomic.Int64  // when it was speech
}

// note takes the level of one packet, in -dBov.
func (m *meter) note(level uint8, voice bool, now time.Duration) {
	loud := int32(loudnessOf(level))
	if peak := uint32(loud) + 1; peak > m.peak.Load() {
		m.peak.Store(peak)
	}
	if before := m.loudness.Load(); loud < before {
		loud = before - (before-loud+7)/8
	}
	m.loudness.Store(loud)
	m.noted.Store(int64(now))
	if voice && level < speaking {
		m.spoke.Store(int64(now))
	}
}

// take returns the loudest level since it was called before, in -dBov; false if there is nothing to say
// about it yet.
func (m *meter) take(now time.Duration) (level uint8, ok bool) {
	if peak := m.peak.Swap(0); peak > 0 {
		return codec.Silence - uint8(peak-1), true
	}
	return codec.Silence, now-time.Duration(m.noted.Load()) >= lull
}

// silent returns how long the voice has not spoken.
func (m *meter) silent(now time.Duration) time.Duration { return now - time.Duration(m.spoke.Load()) }

// loudnessOf turns -dBov into dB above silence.
func loudnessOf(level uint8) int { return int(codec.Silence) - int(min(level, codec.Silence)) }
