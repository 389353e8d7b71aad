package sfu

import (
	"sync/atomic"
	"time"

	"passerelle/codec"
)

// speaking is the level, in -dBov, from which a voice counts as speech.
const speaking = 60

// meter follows how loud a voice is. note is called by whoever forwards the voice, one goroutine at a
// time; the rest by anybody.
type meter struct {
	peak     atomic.Uint32 // 127 - the loudest level since take was called
	loudness atomic.Int32  // dB above silence, rising at once and falling slowly
	spoke    atomic.Int64  // when it spoke last, by the clock of the SFU
}

// note takes the level of one packet, in -dBov.
func (m *meter) note(level uint8, voice bool, now time.Duration) {
	loud := int32(codec.Silence) - int32(min(level, codec.Silence))
	if uint32(loud) > m.peak.Load() {
		m.peak.Store(uint32(loud))
	}
	before := m.loudness.Load()
	if loud < before {
		loud = before - (before-loud+7)/8
	}
	m.loudness.Store(loud)
	if voice && level < speaking {
		m.spoke.Store(int64(now))
	}
}

// take returns the loudest level since it was called before, in -dBov.
func (m *meter) take() uint8 { return codec.Silence - uint8(m.peak.Swap(0)) }

// silent returns how long the voice has not spoken.
func (m *meter) silent(now time.Duration) time.Duration { return now - time.Duration(m.spoke.Load()) }
