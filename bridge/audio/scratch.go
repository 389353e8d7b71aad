package audio

import (
	"passerelle/codec"
	"passerelle/codec/g711"
)

// scratch is what a mix needs during its tick and not after: each shard has one.
type scratch struct {
	block   []int16   // one source
	sum     []int32   // all sources; what is in it counts only if loud
	loud    bool      // somebody sounds
	gains   []float32 // of each sample of the sum, if limited
	limited bool      // the sum is too loud as it is
	wide    []int32   // mixed, while players are added
	mixed   []int16   // what somebody hears
	bytes   []byte    // ... encoded
	frame   codec.Frame
	shared  [codec.ComfortNoise + 1]sharedPayload // by kind: what all hear who do not sound themselves
}

// sharedPayload is G.711 of one kind, whose encoder has no state: what two phones hear alike is encoded once.
type sharedPayload struct {
	encoder codec.Encoder
	bytes   []byte
	made    bool // in this tick
}

func newScratch(block int) scratch {
	w := scratch{
		block: make([]int16, block), sum: make([]int32, block), wide: make([]int32, block), mixed: make([]int16, block),
		gains: make([]float32, block), bytes: make([]byte, block),
	}
	for _, kind := range []codec.Kind{codec.PCMU, codec.PCMA} {
		if enc, err := g711.NewEncoder(kind); err == nil {
			w.shared[kind] = sharedPayload{encoder: enc, bytes: make([]byte, block)}
		}
	}
	return w
}

// begin forgets the tick before.
func (w *scratch) begin() {
	w.loud, w.limited = false, false
	for i := range w.shared {
		w.shared[i].made = false
	}
}

// add adds a source to the sum.
func (w *scratch) add(pcm []int16) {
	sum := w.open()[:len(pcm)]
	for i, s := range pcm {
		sum[i] += int32(s)
	}
}

// open returns the sum for adding.
func (w *scratch) open() []int32 {
	if !w.loud {
		clear(w.sum)
		w.loud = true
	}
	return w.sum
}

// common returns what everybody hears who does not sound, as kind.
func (w *scratch) common(kind codec.Kind) ([]byte, error) {
	c := &w.shared[kind]
	if !c.made {
		w.mix(nil)
		if _, err := c.encoder.Encode(c.bytes, w.mixed); err != nil {
			return nil, err
		}
		c.made = true
	}
	return c.bytes, nil
}

// limit finds out where the sum is to be turned down. One gain serves all: it is what the whole sum needs, and
// whoever hears less than that, since his own voice is left out, hears the rest as others do.
func (w *scratch) limit(l *limiter) {
	if w.loud || l.gain < 1 {
		w.limited = l.shape(w.gains, w.open())
	}
}

// mix puts the sum, less somebody's own sound, into mixed.
func (w *scratch) mix(own []int16) {
	mixed, sum, gains := w.mixed, w.sum[:len(w.mixed)], w.gains[:len(w.mixed)]
	switch {
	case !w.loud:
		clear(mixed)
	case own == nil && w.limited:
		for i := range mixed {
			mixed[i] = clamp(int32(float32(sum[i]) * gains[i]))
		}
	case own == nil:
		for i := range mixed {
			mixed[i] = clamp(sum[i])
		}
	case w.limited:
		own = own[:len(mixed)]
		for i := range mixed {
			mixed[i] = clamp(int32(float32(sum[i]-int32(own[i])) * gains[i]))
		}
	default:
		own = own[:len(mixed)]
		for i := range mixed {
			mixed[i] = clamp(sum[i] - int32(own[i]))
		}
	}
}

// widen returns what is mixed, for adding.
func (w *scratch) widen() []int32 {
	for i, s := range w.mixed {
		w.wide[i] = int32(s)
	}
	return w.wide
}

// narrow takes back what was added; limited softens what has become too loud, sample by sample.
func (w *scratch) narrow(limited bool) {
	for i, s := range w.wide {
		if limited {
			w.mixed[i] = softened(s)
		} else {
			w.mixed[i] = clamp(s)
		}
	}
}
