package audio

import (
	"errors"
	"fmt"

	"passerelle/codec"
)

// ErrStopped is why a mix ended that was open when its engine stopped.
var ErrStopped = errors.New("the audio engine has stopped")

// PanicError is why a mix ended that panicked.
type PanicError struct {
	Mix   string
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("mix %s: panic: %v", e.Mix, e.Value) }

// Mix is the sound of one room, for the phones in it. It lives on one shard. Its methods may be called
// from any goroutine and do not wait: what they ask for happens at the shard's next tick.
type Mix struct{}

// AddTrack adds a voice of the room, decoded once for all phones. It must be closed.
func (m *Mix) AddTrack(id string) *Track { return &Track{} }

// Play plays a sound to everybody in the mix.
func (m *Mix) Play(s Sound) *Player { return &Player{} }

// Close ends the mix. Phones that are still in it hear nothing until they join another.
func (m *Mix) Close() {}

// Done is closed when the mix has ended: by Close, by a panic, or with the engine.
func (m *Mix) Done() <-chan struct{} { return nil }

// Err returns why the mix ended: nil while it goes on and after Close, ErrStopped, or a *PanicError.
func (m *Mix) Err() error { return nil }

// Track is one voice of a room on its way into a mix.
type Track struct{}

var _ codec.Reader = (*Track)(nil)

// PushFrame takes one Opus packet, as the network delivered it. One goroutine at a time calls it; it
// never blocks. What does not fit is dropped and counted.
func (t *Track) PushFrame(f *codec.Frame) {}

// Close takes the voice out of the mix. Frames that are pushed later are ignored.
func (t *Track) Close() {}

// Stats may be called from any goroutine.
func (t *Track) Stats() JitterStats { return JitterStats{} }
