package audio

import (
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/codec"
	"passerelle/codec/conceal"
)

// Reasons why a phone cannot be served.
var (
	ErrKind  = errors.New("codec not supported")
	ErrPTime = errors.New("packets of this length are not supported")
)

// PhoneConfig says what a phone speaks and where its sound goes.
type PhoneConfig struct {
	Kind  codec.Kind    // what the line sends and takes: PCMU, PCMA, Opus, and G722 in an engine at 16 kHz
	PTime time.Duration // of what the line takes: 10, 20, 30 (not with Opus), 40 or 60 ms; 0 is 20 ms
	// Bitrate is the most that the line takes of Opus, in bit/s; 0 is what speech needs.
	Bitrate int
	// Up is the seat: it takes Opus frames with RTP time in 48 kHz, from the goroutine that calls
	// PushFrame. It may be nil until SetUp.
	Up codec.Writer
	// Down is the line: it takes frames of Kind from the shard, with RTP time counted in frames from
	// 0; sequence numbers are its own.
	Down codec.Writer
	// NoGain leaves the phone's voice as loud as it is. That of a phone of Opus is left so anyway.
	NoGain bool
	// NoGate lets everything through, noise and silence too.
	NoGate bool
	// Keys is told the keys that come as tones, from the goroutine that calls PushFrame, after HearKeys. It must not
	// block, nor call the phone.
	Keys func(key rune)
	Log  *slog.Logger // nil is silence
}

// Phone is one telephone in the engine room. Up, it is a [codec.Reader] driven by the phone's own
// packets. Down, it stands in at most one mix at a time, on whichever shard. PushFrame belongs to the
// line's reader; all other methods may be called from any goroutine.
type Phone struct {
	engine *Engine
	log    *slog.Logger
	out    codec.Writer

	// The way up. The lock is this call's own: what changes a few times a call against PushFrame.
	mu     sync.Mutex
	up     up
	closed bool
	muted  atomic.Bool
	held   atomic.Bool
	deaf   atomic.Bool
	loss   atomic.Int32 // percent

	// Where the phone is wanted, and which shard has it: only that one touches what follows. A shard
	// lets go by naming the next owner.
	want  atomic.Pointer[Mix]
	owner atomic.Pointer[shard]
	line  atomic.Pointer[line]
	gone  atomic.Bool

	mix     *Mix
	voice   atomic.Pointer[jitter] // behind the ring; others read its counters
	narrow  bool                   // its sound is at another rate than the mix's
	own     []int16                // what it said in this tick, if it sounds
	sounds  bool
	down    packetizer
	players []*Player
	played  converter // what they play, for a narrow phone
	volume  volume
	counted bool // in the owner's load
}

var _ codec.Reader = (*Phone)(nil)

// How many packets of up to 20 ms may wait for the shard, and for their tick.
const (
	phoneRing   = 16
	phoneWindow = 32
)

// NewPhone makes a phone that is in no mix yet. It must be closed.
func (e *Engine) NewPhone(cfg PhoneConfig) (*Phone, error) {
	line, err := e.newLine(cfg.Kind, cfg.PTime, cfg.Bitrate)
	if err != nil {
		return nil, err
	}
	p := &Phone{engine: e, log: cfg.Log, out: cfg.Down}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.up.init(e, cfg.Kind, cfg.Up); err != nil {
		return nil, err
	}
	p.up.gain.off, p.up.gate.off, p.up.press = cfg.NoGain, cfg.NoGate, cfg.Keys
	p.tune(p.up.rate, p.newVoice())
	p.line.Store(line)
	s := e.idlest()
	p.owner.Store(s)
	s.load.Add(1)
	p.counted = true
	return p, nil
}

// newVoice returns a jitter buffer behind the way up.
func (p *Phone) newVoice() *jitter {
	rate := p.up.rate
	return newJitter(p.up.ring, &phoneVoice{past: conceal.New(rate)}, rate, phoneWindow)
}

// tune sets the rate of the phone's sound, and where its voice is heard. Called on the phone's shard, or
// before it has one.
func (p *Phone) tune(rate int, voice *jitter) {
	p.narrow = rate != p.engine.rate
	p.own = make([]int16, samples(tickLength, rate))
	p.sounds = false
	p.voice.Store(voice)
	p.played.rings = p.played.rings && p.narrow
	p.volume.begin(rate)
}

// PushFrame takes one packet from the phone and hands what it makes of it to the seat before it
// returns. RFC 4733 packets are not for it. Called by the line reader.
func (p *Phone) PushFrame(f *codec.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if err := p.up.encoder.SetLoss(int(p.loss.Load())); err != nil {
		p.up.count.errors.add(1)
	}
	p.up.push(f, p.muted.Load() || p.held.Load())
}

// SetMuted mutes the phone for everybody, the phones beside it included.
func (p *Phone) SetMuted(muted bool) { p.muted.Store(muted) }

// SetDeaf has the phone hear nobody, and be sent silence, or hear its mix again. What is played to it alone it hears.
func (p *Phone) SetDeaf(deaf bool) { p.deaf.Store(deaf) }

// HearKeys says whether keys are listened for in the sound. The room hears the first 30 ms of each, and no more. What
// comes as Opus is passed on as it is, and not listened to: phones of Opus have events.
func (p *Phone) HearKeys(hear bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up.hearKeys(hear && p.up.press != nil)
}

// SetLoss tells the fraction, 0 to 1, of packets lost on the way to the room, for FEC.
func (p *Phone) SetLoss(fraction float64) {
	p.loss.Store(int32(math.Round(100 * min(max(fraction, 0), 1))))
}

// SetUp gives the phone another seat; nil is none.
func (p *Phone) SetUp(up codec.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up.seat = up
	p.up.marker = p.up.talking
}

// Renegotiate tells what the line takes from now on, after a re-INVITE; bitrate as in PhoneConfig. The way up
// is re-based. If it fails, all is as it was.
func (p *Phone) Renegotiate(kind codec.Kind, ptime time.Duration, bitrate int) error {
	line, err := p.engine.newLine(kind, ptime, bitrate)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind != p.up.kind {
		before := p.up.ring
		if err := p.up.change(p.engine, kind); err != nil {
			return err
		}
		if p.up.ring != before {
			rate, voice := p.up.rate, p.newVoice()
			p.visit(func(*shard) { p.tune(rate, voice) })
		}
	}
	p.up.time.renewed = true
	if !line.same(p.line.Load()) {
		p.line.Store(line)
	}
	return nil
}

// Hold stops what is sent to the phone and silences what comes from it: its music on hold is not for the
// room. A phone is on hold when it does not want to be sent to (sendonly or inactive, RFC 3264 section
// 8.4); one that merely listens (recvonly) is not.
func (p *Phone) Hold(hold bool) { p.held.Store(hold) }

// Close takes the phone out of its mix. After it returned the seat hears nothing more; the line may
// still get the frame that is being written at this moment.
func (p *Phone) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.up.encoder.Rest()
	p.mu.Unlock()
	if closed {
		return
	}
	p.gone.Store(true)
	p.want.Store(nil)
	p.visit(p.settle)
}

// Stats may be called from any goroutine.
func (p *Phone) Stats() PhoneStats {
	c := &p.up.count
	return PhoneStats{
		Received: c.received.load(), Late: c.late.load(), Malformed: c.malformed.load(),
		Concealed: c.concealed.load(), Jumps: c.jumps.load(), Rebased: c.rebased.load(),
		Sent: c.sent.load(), DTX: c.dtx.load(), UpErrors: c.errors.load(),
		Level: uint8(p.up.levelNow.Load()), Talking: p.up.openNow.Load(),
		Written: p.down.written.load(), DownErrors: p.down.errors.load(),
		Ring: p.voice.Load().stats(),
	}
}
