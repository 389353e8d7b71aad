package bridge

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/g722"
	"passerelle/rooms"
)

// A herald keeps the seat of somebody who is being called, and is heard there instead: it is the ringing tone, and says how
// the call ends where nobody comes. It is a telephone of the house, whose sound goes to the room as every phone's does; the phones
// beside get it from their mix. The seat is lent to a leg that has something to say before its answer, and handed over to the one
// that has answered.

const (
	// heraldTick is the length of the herald's packets.
	heraldTick = 20 * time.Millisecond
	// heraldLead is how far ahead of its time the herald speaks: so much later it may be woken, and nobody hears it.
	heraldLead = 3 * heraldTick
	// heraldRest is the silence after what a herald says: its packets are ahead of their time and the phones beside are not,
	// and words are on their way for so long, above all where the machine was busy. Their end is lost with the herald.
	heraldRest = 400 * time.Millisecond
)

type herald struct {
	gateway *Gateway
	room    *openRoom
	seat    rooms.Seat
	way     stream // to the seat
	phone   *audio.Phone
	kind    codec.Kind
	encoder codec.Encoder
	rate    int // of what it says, in Hz

	mu    sync.Mutex
	muted bool          // by a moderator
	lent  *call         // who has the seat; nil: the herald
	tone  []int16       // nil: it does not ring
	at    int           // in tone
	rings *audio.Player // of the tone, to the phones beside; nil while they do not hear it
	words []int16       // said before the tone goes on
	said  chan struct{}

	stop    context.CancelFunc
	running sync.WaitGroup
}

// sendHerald sends a herald into a room, for who is called. cancel ends the call where the room does not want it any more.
func (g *Gateway) sendHerald(ctx context.Context, to destination, who rooms.Participant, cancel context.CancelCauseFunc) (h *herald, err error) {
	h = &herald{gateway: g, rate: g.Engine.MixRate()}
	if h.kind, h.encoder, err = houseCodec(h.rate); err != nil {
		return nil, err
	}
	// It is in no mix, and has no line.
	h.phone, err = g.Engine.NewPhone(audio.PhoneConfig{Kind: h.kind, NoGain: true, NoGate: true, Log: g.Log})
	if err != nil {
		return nil, fmt.Errorf("ring in the room: %w", err)
	}
	if h.room, h.seat, err = g.seat(ctx, to, who); err != nil {
		h.phone.Close()
		return nil, err
	}
	h.way = stream{to: h.seat, clock: g.Clock}
	h.phone.SetUp(&h.way)
	ctx, h.stop = context.WithCancel(ctx)
	h.running.Go(func() { h.guarded(cancel, func() { h.speak(ctx) }) })
	h.running.Go(func() { h.guarded(cancel, func() { h.watch(ctx, cancel) }) })
	return h, nil
}

// houseCodec is what a telephone of the house speaks at a rate of the engine.
func houseCodec(rate int) (codec.Kind, codec.Encoder, error) {
	if rate == g722.Rate {
		return codec.G722, g722.NewEncoder(), nil
	}
	e, err := g711.NewEncoder(codec.PCMA)
	return codec.PCMA, e, err
}

// guarded runs one of the herald's goroutines.
func (h *herald) guarded(cancel context.CancelCauseFunc, run func()) {
	defer func() {
		if r := recover(); r != nil {
			h.gateway.Log.Error("panic", "in", "herald", "panic", r, "stack", string(debug.Stack()))
			cancel(fmt.Errorf("panic: %v", r))
		}
	}()
	run()
}

// watch ends the call where somebody removes who is called, or the room ends.
func (h *herald) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	changed, stop := h.room.board.read()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			switch n := h.room.board.latest(); {
			case n.encrypted:
				cancel(rooms.ErrEncrypted)
			case n.ended:
				h.gateway.open.forget(h.room)
				cancel(rooms.ErrClosed)
			}
		case event, open := <-h.seat.Events():
			switch {
			case !open:
				cancel(rooms.ErrClosed)
				return
			case event.Kind == rooms.Removed:
				cancel(rooms.ErrRemoved)
				return
			case event.Kind == rooms.Muted, event.Kind == rooms.Unmuted:
				h.mu.Lock()
				h.muted = event.Kind == rooms.Muted
				h.beside()
				h.mu.Unlock()
			}
		}
	}
}

// speak sends what there is to say, a packet a tick. Where the machine stood still, what is due is sent at once. Each packet is
// said to arrive in its time, so that nothing has to be made up for the jitter of a timer.
func (h *herald) speak(ctx context.Context) {
	tick := time.NewTicker(heraldTick)
	defer tick.Stop()
	v := voice{
		pcm: make([]int16, h.rate*int(heraldTick/time.Millisecond)/1000),
		f:   codec.Frame{Kind: h.kind}, units: uint32(h.kind.ClockRate() * int(heraldTick/time.Millisecond) / 1000),
	}
	v.payload = make([]byte, len(v.pcm))
	began, sent := h.gateway.Clock(), time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := (h.gateway.Clock() + heraldLead - began) / heraldTick; sent < due; sent++ {
			v.f.Arrival = began + sent*heraldTick
			if err := h.utter(&v); err != nil {
				h.gateway.Log.Warn("the herald is dumb", "error", err)
				return
			}
		}
	}
}

// voice is what a herald speaks with.
type voice struct {
	pcm     []int16
	payload []byte
	f       codec.Frame
	units   uint32 // of RTP time, in a packet
}

// utter sends one packet, if there is something to say.
func (h *herald) utter(v *voice) error {
	v.f.Timestamp += v.units
	if !h.next(v.pcm) {
		return nil
	}
	n, err := h.encoder.Encode(v.payload, v.pcm)
	if err != nil {
		return err
	}
	v.f.Seq++
	v.f.Payload = v.payload[:n]
	h.phone.PushFrame(&v.f)
	return nil
}

// next fills pcm with what is to be heard next; false where nothing is.
func (h *herald) next(pcm []int16) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(pcm)
	switch {
	case len(h.words) > 0:
		h.words = h.words[copy(pcm, h.words):]
		if len(h.words) == 0 {
			close(h.said)
		}
	case h.lent == nil && len(h.tone) > 0:
		for rest := pcm; len(rest) > 0; {
			n := copy(rest, h.tone[h.at:])
			h.at, rest = (h.at+n)%len(h.tone), rest[n:]
		}
	default:
		return false
	}
	return true
}

// ring rings, until hush.
func (h *herald) ring(tone []int16) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tone == nil {
		h.tone, h.at = tone, 0
		h.beside()
	}
}

// beside lets the phones beside hear the tone, or hear it no more. Called with mu held.
func (h *herald) beside() {
	switch audible := h.tone != nil && h.lent == nil && !h.muted; {
	case audible && h.rings == nil:
		h.rings = h.room.mix.Play(audio.Sound{PCM: h.tone, Loop: true})
	case !audible && h.rings != nil:
		h.rings.Stop()
		h.rings = nil
	}
}

// hush rings no more.
func (h *herald) hush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tone = nil
	h.beside()
}

// say says a sentence, and returns when it is said. One at a time.
func (h *herald) say(ctx context.Context, language string, prompts ...ivr.Prompt) {
	words := h.gateway.Voices.Say(language, prompts...)
	if len(words) == 0 {
		return
	}
	words = slices.Concat(words, make([]int16, h.rate*int(heraldRest/time.Millisecond)/1000))
	said := make(chan struct{})
	h.mu.Lock()
	h.words, h.said = words, said
	if !h.muted {
		defer h.room.mix.Play(audio.Sound{PCM: words}).Stop()
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, sayTimeout)
	defer cancel()
	select {
	case <-said:
	case <-ctx.Done():
	}
}

// lend gives the seat to a leg that is heard before its answer, unless another has it. Who has not answered, nor pressed a key
// that joins, hears nobody: it may be a voice box, and nobody has been told that somebody listens.
func (h *herald) lend(leg *call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lent != nil {
		return
	}
	h.lent = leg
	h.beside()
	h.phone.SetUp(nil)
	h.way.renew()
	leg.phone.SetDeaf(true)
	leg.phone.SetUp(&h.way)
	leg.phone.Join(h.room.mix)
}

// reclaim takes it back from a leg, if that has it.
func (h *herald) reclaim(leg *call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lent != leg {
		return
	}
	h.lent = nil
	leg.phone.Leave()
	leg.phone.SetUp(nil)
	leg.phone.SetDeaf(false)
	h.way.renew()
	h.phone.SetUp(&h.way)
	h.beside()
}

// handOver gives the seat away for good, to the leg that was answered. Nothing of the herald is left.
func (h *herald) handOver(leg *call) {
	h.quit()
	h.lend(leg)
	h.mu.Lock()
	defer h.mu.Unlock()
	leg.room, leg.seat, leg.muted, leg.moderated = h.room, h.seat, h.muted, h.muted
	leg.phone.SetMuted(h.muted)
	leg.phone.SetDeaf(false)
	leg.closeBooth()
	h.seat = nil
	leg.publish()
}

// quit stops what runs of the herald.
func (h *herald) quit() {
	h.stop()
	h.running.Wait()
	h.hush()
}

// leave ends the herald, and the seat that it still has.
func (h *herald) leave() {
	h.quit()
	h.phone.Close()
	if h.seat == nil {
		return
	}
	if err := h.seat.Close(); err != nil {
		h.gateway.Log.Warn("the seat was not left in order", "error", err)
	}
	h.gateway.open.leave(h.room)
}
