package audio

import (
	"errors"

	"passerelle/codec"
)

// What a phone sends as Opus is passed on to the seat as it is, and decoded once besides: for its level, the
// gate's opinion, and the phones beside. Three things differ from the way of the others (up.go):
//
//   - The gate holds nothing back. When to fall silent is the phone's own decision, of which its encoder and the
//     far decoder both know; our SDP asks for it. The phones beside get what the gate lets through.
//   - What is lost is not made up for the seat. Our sequence stays without a hole, and the timestamp jumps by what
//     is missing: a receiver like Chromium's finds by its timestamp where the FEC in the next packet belongs, and
//     nobody asks for a packet that never was here, or blames our way to the room for it.
//   - A mute replaces the sound by DTX packets.

// passed stands where others have an encoder.
type passed struct {
	toc byte // of the packet before
}

var errPassed = errors.New("what is passed on is not encoded")

func (p *passed) Encode([]byte, []int16) (int, error) { return 0, errPassed }
func (p *passed) SetLoss(int) error                   { return nil }
func (p *passed) Reset()                              {}
func (p *passed) Rest()                               {}
func (p *passed) Close() error                        { return nil }

// DTXPayload is the TOC of the packet before, and no frame (RFC 6716 section 3.1).
func (p *passed) DTXPayload(dst []byte) int {
	dst[0] = p.toc &^ 3
	return 1
}

// relay takes one packet of Opus whose place in time was found.
func (u *up) relay(f *codec.Frame, silenced bool) {
	n, err := u.decoder.Decode(u.pcm, f.Payload)
	if err != nil || n == 0 {
		u.count.malformed.add(1)
		return
	}
	u.passed.toc = f.Payload[0]
	u.begins(f, n)
	if silenced || len(f.Payload) <= dtxPayload {
		u.gate.shut()
		u.close()
		u.past.clear()
		u.dtx(u.at)
		return
	}
	if !u.talking {
		u.talking, u.marker = true, true
	}
	pcm := u.pcm[:n]
	voice, open := u.gate.hear(pcm)
	u.out.Voice, u.out.Level = voice, level(power(pcm))
	u.levelNow.Store(uint32(u.out.Level))
	u.openNow.Store(open)
	u.beside(pcm, open)
	u.sentEnd = u.at + u.ours(n)
	if u.seat != nil {
		u.send(u.at, f.Payload)
	}
}

// beside hands the sound of the packet in hand to the phones beside, as far as the gate lets it through.
func (u *up) beside(pcm []int16, open bool) {
	if !open {
		if u.inRing {
			u.silenceRing()
		}
		u.past.put(pcm)
		return
	}
	if before := u.past.take(u.gate.onset(len(pcm))); !u.inRing && len(before) > 0 {
		u.toRing(before, u.at-u.ours(len(before)))
	}
	u.toRing(pcm, u.at)
}

// miss passes over a short gap before f. The phones beside get what f's FEC has of it, or what the decoder makes
// up: they hear it before f is decoded.
func (u *up) miss(f *codec.Frame, gap uint32, silenced bool) {
	u.count.jumps.add(1)
	pcm := u.pcm[:int(gap)*u.rate/u.time.clock]
	if u.inRing && !silenced {
		if _, err := u.decoder.Recover(pcm, f.Payload); err == nil {
			u.toRing(pcm, u.time.our)
		}
	}
	u.time.pass(gap)
	u.past.clear()
}
