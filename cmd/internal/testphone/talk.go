package testphone

import (
	"context"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
)

// talker sends what is to be said, a packet every 20 ms.
type talker struct {
	phone   *phone
	encoder codec.Encoder
	line    codec.Writer

	frame   codec.Frame
	payload [frame]byte
	silence [frame]int16
	said    int // samples of Play that have been sent
}

func newTalker(p *phone, kind codec.Kind, line codec.Writer) (*talker, error) {
	encoder, err := g711.NewEncoder(kind)
	if err != nil {
		return nil, err
	}
	t := &talker{phone: p, encoder: encoder, line: line}
	t.frame.Kind, t.frame.Marker = kind, true
	return t, nil
}

// run talks until ctx is done.
func (t *talker) run(ctx context.Context) error {
	tick := time.NewTicker(ptime)
	defer tick.Stop()
	start := time.Now()
	for sent := 0; ; {
		// A timer that came late is caught up with, so that no sound is lost on a busy machine.
		for due := int(time.Since(start)/ptime) + 1; sent < due; sent++ {
			if err := t.send(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// send sends the next packet. That the network refuses one is the line's to count.
func (t *talker) send() error {
	pcm := t.silence[:]
	if rest := t.phone.Play[min(t.said, len(t.phone.Play)):]; len(rest) >= frame {
		pcm = rest[:frame]
	}
	t.said += frame
	n, err := t.encoder.Encode(t.payload[:], pcm)
	if err != nil {
		return err
	}
	t.frame.Payload = t.payload[:n]
	_ = t.line.WriteFrame(&t.frame) // counted in the line's statistics
	t.frame.Marker = false
	t.frame.Timestamp += frame
	t.phone.update(func(r *Report) { r.SentLevel = level(pcm) })
	return nil
}

// level returns how loud pcm is, in -dBov (RFC 6464).
func level(pcm []int16) uint8 { return uint8(-score.Level(pcm)) }
