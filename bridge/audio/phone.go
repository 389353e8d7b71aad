package audio

import (
	"log/slog"
	"time"

	"passerelle/codec"
)

// PhoneConfig says what a phone speaks and where its sound goes.
type PhoneConfig struct {
	Kind  codec.Kind    // what the line sends and takes
	PTime time.Duration // of what the line takes: 10, 20, 30, 40 or 60 ms; 0 is 20 ms
	// Up is the seat: it takes Opus frames with RTP time in 48 kHz, from the goroutine that calls
	// PushFrame. It may be nil until SetUp.
	Up codec.Writer
	// Down is the line: it takes frames of Kind from the shard, with RTP time counted in frames from
	// 0; sequence numbers are its own.
	Down codec.Writer
	Log  *slog.Logger // nil is silence
}

// Phone is one telephone in the engine room. Up, it is a [codec.Reader] driven by the phone's own
// packets. Down, it stands in at most one mix at a time, on whichever shard. PushFrame belongs to the
// line's reader; all other methods may be called from any goroutine.
type Phone struct{}

// PushFrame takes one packet from the phone and hands what it makes of it to the seat before it
// returns. RFC 4733 packets are not for it. Called by the line reader.
func (p *Phone) PushFrame(f *codec.Frame) {}

// Join moves the phone into a mix, from any other that it is in. Its RTP timestamps go on.
func (p *Phone) Join(m *Mix) {}

// Leave takes the phone out of its mix. It hears nothing, and nothing is sent to it, until it joins another.
func (p *Phone) Leave() {}

// SetMuted mutes the phone for everybody, the phones beside it included.
func (p *Phone) SetMuted(muted bool) {}

// SetLoss tells the fraction, 0 to 1, of packets lost on the way to the room, for FEC.
func (p *Phone) SetLoss(fraction float64) {}

// SetUp gives the phone another seat; nil is none.
func (p *Phone) SetUp(up codec.Writer) {}

// Renegotiate tells what the line takes from now on, after a re-INVITE. The way up is re-based.
func (p *Phone) Renegotiate(kind codec.Kind, ptime time.Duration) error { return nil }

// Hold stops what is sent to the phone and silences what comes from it (its music on hold is not for
// the room).
func (p *Phone) Hold(hold bool) {}

// Play plays a sound to this phone alone, beside what it hears of its mix.
func (p *Phone) Play(s Sound) *Player { return &Player{} }

// Stats may be called from any goroutine.
func (p *Phone) Stats() PhoneStats { return PhoneStats{} }

// Close takes the phone out of its mix. After it returned the seat hears nothing more; the line may
// still get the frame that is being written at this moment.
func (p *Phone) Close() {}
