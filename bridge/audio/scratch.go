package audio

import (
	"passerelle/codec"
	"passerelle/codec/g711"
)

// scratch is what a mix needs during its tick and not after: each shard has one. There is a blend for each
// rate: whoever hears at one rate hears the voices of the other through the mix's half-band filter, which is run
// at most once a tick. So a phone's own voice is among the voices of its own rate and can be taken out exactly.
type scratch struct {
	block  []int16 // one source
	full   blend   // for those who hear at the mix rate
	low    blend   // for the phones that are narrow where the mix is not
	limits bool    // what would be clipped is turned down
	played []int32 // what is played to one phone
	mixed  []int16 // what somebody hears
	turned []int32 // ... louder or softer, before it is limited by
	gains  []float32
	bytes  []byte // ... encoded
	frame  codec.Frame
	shared [codec.ComfortNoise + 1]sharedPayload // by kind: what all hear who do not sound themselves
}

// sum is sound added up; what is in it counts only if loud.
type sum struct {
	pcm  []int32
	loud bool
}

// blend is what sounds in this tick at one rate.
type blend struct {
	side    *side
	voices  sum       // of this rate
	all     sum       // with those of the other
	gains   []float32 // of each sample of all, if limited
	limited bool      // it is too loud as it is
	made    bool      // all is
}

// sharedPayload is G.711 of one kind, whose encoder has no state: what two phones hear alike is encoded once.
type sharedPayload struct {
	encoder codec.Encoder
	bytes   []byte
	made    bool // in this tick
}

// newScratch returns what a tick of mixes at rate needs.
func newScratch(rate int) scratch {
	block, low := samples(tickLength, rate), samples(tickLength, g711.Rate)
	w := scratch{
		block: make([]int16, block), full: newBlend(block), low: newBlend(low), played: make([]int32, block),
		mixed: make([]int16, block), turned: make([]int32, block), gains: make([]float32, block), bytes: make([]byte, low),
	}
	for _, kind := range []codec.Kind{codec.PCMU, codec.PCMA} {
		if enc, err := g711.NewEncoder(kind); err == nil {
			w.shared[kind] = sharedPayload{encoder: enc, bytes: make([]byte, low)}
		}
	}
	return w
}

func newBlend(block int) blend {
	return blend{voices: sum{pcm: make([]int32, block)}, all: sum{pcm: make([]int32, block)}, gains: make([]float32, block)}
}

// begin forgets the tick before; it is m's turn. limits turns down what would be clipped.
func (w *scratch) begin(m *Mix, limits bool) {
	w.limits = limits
	w.full.begin(&m.full)
	w.low.begin(&m.low)
	for i := range w.shared {
		w.shared[i].made = false
	}
}

func (b *blend) begin(s *side) {
	b.side, b.made, b.voices.loud = s, false, false
}

// at returns the blend in which a phone's voice is.
func (w *scratch) at(narrow bool) *blend {
	if narrow {
		return &w.low
	}
	return &w.full
}

// add adds a source to the sum.
func (s *sum) add(pcm []int16) {
	sum := s.open()[:len(pcm)]
	for i, s := range pcm {
		sum[i] += int32(s)
	}
}

// open returns the sum for adding.
func (s *sum) open() []int32 {
	if !s.loud {
		clear(s.pcm)
		s.loud = true
	}
	return s.pcm
}

// common returns what everybody hears who does not sound, as kind, which is G.711.
func (w *scratch) common(kind codec.Kind, narrow bool) ([]byte, error) {
	c := &w.shared[kind]
	if !c.made {
		if _, err := c.encoder.Encode(c.bytes, w.mix(narrow, nil)); err != nil {
			return nil, err
		}
		c.made = true
	}
	return c.bytes, nil
}

// mix returns what sounds at one rate, less somebody's own sound. It is valid until the next call.
func (w *scratch) mix(narrow bool, own []int16) []int16 {
	b := w.at(narrow)
	if !b.made {
		w.complete(b, narrow)
	}
	sum := b.all.pcm
	mixed, gains := w.mixed[:len(sum)], b.gains[:len(sum)]
	switch {
	case !b.all.loud:
		clear(mixed)
	case own == nil && b.limited:
		for i := range mixed {
			mixed[i] = clamp(int32(float32(sum[i]) * gains[i]))
		}
	case own == nil:
		for i := range mixed {
			mixed[i] = clamp(sum[i])
		}
	case b.limited:
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
	return mixed
}

// complete adds the voices of the other rate, and finds out where all is to be turned down. One gain serves all
// who hear at a rate: it is what the whole sum needs, and whoever hears less than that, since his own voice is left
// out, hears the rest as others do.
func (w *scratch) complete(b *blend, narrow bool) {
	b.made, b.limited, b.all.loud = true, false, false
	if b.voices.loud {
		copy(b.all.pcm, b.voices.pcm)
		b.all.loud = true
	}
	if c := &b.side.other; c.filter != nil && c.convert(&w.at(!narrow).voices) {
		sum := b.all.open()
		for i, s := range c.out {
			sum[i] += s
		}
	}
	if l := &b.side.limiter; w.limits && (b.all.loud || l.gain < 1) {
		b.limited = l.shape(b.gains, b.all.open())
	}
}
