package sfu

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"passerelle/codec"
)

// settled is how long a voice must have had a slot before a report of loss is believed to speak of it.
const settled = time.Second

// ear is what one browser hears: a fixed number of slots, each one RTP stream that never ends, filled
// with whichever voices matter at the moment.
type ear struct {
	owner *browser

	mu     sync.Mutex // held for the choice of a slot and the sending of one packet
	slots  []*slot
	claims []claim // of play's making
}

// slot is one stream to a browser.
type slot struct {
	ssrc   uint32
	write  interceptor.RTPWriter
	header rtp.Header
	splice splice

	voice *voice        // the occupant; nil where it is free
	since time.Duration // when it came
}

// newSlot returns a free slot that writes to w. Its numbers begin at random (RFC 3550 section 5.1), the
// sequence in the lower half, which leaves SRTP's roll-over counter no doubt (RFC 3711 section 3.3.1).
func newSlot(ssrc uint32, payloadType uint8, w interceptor.RTPWriter) *slot {
	return &slot{
		ssrc: ssrc, write: w,
		header: rtp.Header{Version: 2, PayloadType: payloadType, SSRC: ssrc},
		splice: splice{outSeq: uint16(rand.N(1 << 15)), outTime: rand.Uint32()},
	}
}

// add gives the ear one more slot, before anybody is heard.
func (e *ear) add(s *slot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots = append(e.slots, s)
	e.claims = make([]claim, len(e.slots))
}

// play sends one packet of a voice, if the voice has a slot or gets one.
func (e *ear) play(v *voice, f *codec.Frame, now time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v.gone.Load() || v.muted.Load() { // since drop was called
		return
	}
	s := e.slotOf(v)
	if s == nil {
		if s = e.claim(v, f, now); s == nil {
			return
		}
		for n := lookBack; n > 0; n-- {
			if k := v.before(f, n, now); k != nil {
				s.send(k.seq, k.timestamp, k.marker, k.payload[:k.length], k.at)
			}
		}
	}
	s.send(f.Seq, f.Timestamp, f.Marker, f.Payload, now)
}

func (e *ear) slotOf(v *voice) *slot {
	for _, s := range e.slots {
		if s.voice == v {
			return s
		}
	}
	return nil
}

// claim finds a slot for a voice that has none.
func (e *ear) claim(v *voice, f *codec.Frame, now time.Duration) *slot {
	for i, s := range e.slots {
		if s.voice == nil {
			e.claims[i] = claim{free: true}
			continue
		}
		m := &s.voice.meter
		e.claims[i] = claim{silent: m.silent(now), held: now - s.since, loudness: int(m.loudness.Load())}
	}
	i := choose(e.claims, f.Voice && f.Level < speaking, loudnessOf(f.Level))
	if i < 0 {
		return nil
	}
	s := e.slots[i]
	s.voice, s.since = v, now
	s.splice.cut()
	return s
}

// drop frees the slot of a voice that is silenced or gone.
func (e *ear) drop(v *voice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.slotOf(v); s != nil {
		s.voice = nil
		s.splice.cut()
	}
}

// lost takes a browser's report that it lost a fraction of what a slot carried.
func (e *ear) lost(ssrc uint32, fraction float64, now time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.slots {
		if s.ssrc == ssrc && s.voice != nil && now-s.since >= settled {
			s.voice.loss.report(e, fraction, now)
		}
	}
}

// send writes one packet. What cannot be sent is lost, like anything on its way to a browser.
func (s *slot) send(seq uint16, timestamp uint32, marker bool, payload []byte, at time.Duration) {
	outSeq, outTime, begins, ok := s.splice.next(seq, timestamp, at)
	if !ok {
		return
	}
	s.header.SequenceNumber, s.header.Timestamp, s.header.Marker = outSeq, outTime, marker || begins
	_, _ = s.write.Write(&s.header, payload, nil)
}
