package audio

import (
	"time"

	"passerelle/codec"
	"passerelle/codec/conceal"
)

// voice turns a source's packets into sound at the mix rate. Called on the shard.
type voice interface {
	// most is how much sound a packet has, at most.
	most() time.Duration
	// decode writes p's sound to pcm, which has room for most.
	decode(pcm []int16, p *packet) (samples int, err error)
	// conceal makes up all of pcm, a multiple of 2.5 ms.
	conceal(pcm []int16) error
	// recover makes up all of pcm, which was lost before next; decode of next follows.
	recover(pcm []int16, next *packet) error
	// span returns how many samples p holds, without decoding it.
	span(p *packet) int
	close() error
}

// trackVoice is a voice that comes from the room as Opus.
type trackVoice struct {
	decoder codec.Decoder
	rate    int
}

func (v *trackVoice) most() time.Duration { return 120 * time.Millisecond } // RFC 6716 section 3.2.5

func (v *trackVoice) decode(pcm []int16, p *packet) (int, error) {
	return v.decoder.Decode(pcm, p.payload)
}

func (v *trackVoice) conceal(pcm []int16) error {
	_, err := v.decoder.Conceal(pcm)
	return err
}

func (v *trackVoice) recover(pcm []int16, next *packet) error {
	_, err := v.decoder.Recover(pcm, next.payload)
	return err
}

func (v *trackVoice) span(p *packet) int { return opusSteps(p.payload) * v.rate / 400 }

func (v *trackVoice) close() error { return v.decoder.Close() }

// opusSteps returns how long an Opus packet lasts, in steps of 2.5 ms (RFC 6716 section 3.1).
func opusSteps(payload []byte) int {
	if len(payload) == 0 {
		return 0
	}
	toc := payload[0]
	var steps int
	switch config := toc >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		steps = [4]int{4, 8, 16, 24}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		steps = [2]int{4, 8}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		steps = 1 << (config & 3)
	}
	switch toc & 3 {
	case 0:
		return steps
	case 1, 2:
		return 2 * steps
	}
	if len(payload) < 2 {
		return 0
	}
	return int(payload[1]&63) * steps
}

// phoneVoice is a phone of this gateway, decoded and concealed on its way up; what is lost between its
// reader and the mix is made up here.
type phoneVoice struct {
	past *conceal.Concealer
}

func (v *phoneVoice) most() time.Duration { return tickLength } // toRing

func (v *phoneVoice) decode(pcm []int16, p *packet) (int, error) {
	n := copy(pcm, p.pcm)
	v.past.Hear(pcm[:n])
	return n, nil
}

func (v *phoneVoice) conceal(pcm []int16) error {
	v.past.Fill(pcm)
	return nil
}

func (v *phoneVoice) recover(pcm []int16, _ *packet) error { return v.conceal(pcm) }

func (v *phoneVoice) span(p *packet) int { return len(p.pcm) }

func (v *phoneVoice) close() error { return nil }
