package audio

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

const ms = time.Millisecond

// plainOpus is Opus to whoever looks at packets from outside, and plain PCM inside: a TOC byte and the
// samples as they are. It is encoder and decoder.
type plainOpus struct {
	resets, rests, concealed, recovered, loss int
	toc                                       byte
}

var errPlain = errors.New("not a plain packet")

func (p *plainOpus) Encode(dst []byte, pcm []int16) (int, error) {
	switch len(pcm) {
	case 20, 40:
		p.toc = 0x80 // CELT 2.5 ms and 5 ms look alike here
	case 80:
		p.toc = 0 << 3
	case 160:
		p.toc = 1 << 3
	case 320:
		p.toc = 2 << 3
	case 480:
		p.toc = 3 << 3
	default:
		return 0, errPlain
	}
	dst[0] = p.toc
	for i, s := range pcm {
		binary.LittleEndian.PutUint16(dst[1+2*i:], uint16(s))
	}
	return 1 + 2*len(pcm), nil
}

func (p *plainOpus) Decode(pcm []int16, payload []byte) (int, error) {
	if len(payload)%2 == 0 || len(payload)/2 > len(pcm) {
		return 0, errPlain
	}
	n := len(payload) / 2
	for i := range n {
		pcm[i] = int16(binary.LittleEndian.Uint16(payload[1+2*i:]))
	}
	return n, nil
}

func (p *plainOpus) Conceal(pcm []int16) (int, error) {
	p.concealed++
	clear(pcm)
	return len(pcm), nil
}

func (p *plainOpus) Recover(pcm []int16, next []byte) (int, error) {
	p.recovered++
	whole := make([]int16, 960)
	n, err := p.Decode(whole, next)
	return copy(pcm, whole[:n]), err
}

func (p *plainOpus) SetLoss(percent int) error { p.loss = percent; return nil }

func (p *plainOpus) DTXPayload(dst []byte) int { dst[0] = p.toc; return 1 }

func (p *plainOpus) Reset() { p.resets++ }

func (p *plainOpus) Rest() { p.rests++ }

func (p *plainOpus) Close() error { return nil }

// plainEngine is an Engine at 8 kHz, where no filter changes a sample, and its Opus is plain. Nobody runs it: tests
// tick its shards.
func plainEngine(shards int) *Engine { return plainEngineAt(8000, shards) }

func plainEngineAt(rate, shards int) *Engine {
	e := NewEngine(Config{MixRate: rate, Shards: shards, NoLimiter: true, Clock: func() time.Duration { return 0 }})
	e.newSpeaker = func(int, int) (codec.Encoder, error) { return &plainOpus{}, nil }
	e.newEncoder = func(int) (encoder, error) { return &plainOpus{}, nil }
	e.newDecoder = func(int) (codec.Decoder, error) { return &plainOpus{}, nil }
	return e
}

// recorder keeps what is written to it.
type recorder struct {
	frames []codec.Frame
	err    error
}

func (r *recorder) WriteFrame(f *codec.Frame) error {
	if r.err != nil {
		return r.err
	}
	kept := *f
	kept.Payload = append([]byte(nil), f.Payload...)
	r.frames = append(r.frames, kept)
	return nil
}

// voiced returns the frames that are no DTX.
func (r *recorder) voiced() []codec.Frame {
	var voiced []codec.Frame
	for _, f := range r.frames {
		if len(f.Payload) > dtxPayload {
			voiced = append(voiced, f)
		}
	}
	return voiced
}

// sink counts and forgets.
type sink struct{ frames int }

func (s *sink) WriteFrame(*codec.Frame) error { s.frames++; return nil }

// handset is a phone as it sends: PCMU packets of its own sequence, timestamps and time. It is heard as loud as
// it speaks.
type handset struct {
	phone *Phone
	seat  *recorder
	line  *recorder
	now   time.Duration
	seq   uint16
	ts    uint32
	code  *g711.Encoder
}

func newHandset(t testing.TB, e *Engine, ptime time.Duration) *handset {
	t.Helper()
	h := &handset{seat: &recorder{}, line: &recorder{}, now: time.Second, seq: 65530, ts: math.MaxUint32 - 1000}
	phone, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, PTime: ptime, Up: h.seat, Down: h.line, NoGain: true})
	if err != nil {
		t.Fatal(err)
	}
	h.phone = phone
	if h.code, err = g711.NewEncoder(codec.PCMU); err != nil {
		t.Fatal(err)
	}
	return h
}

// frame returns the next packet, and moves on by it.
func (h *handset) frame(pcm []int16) codec.Frame {
	payload := make([]byte, len(pcm))
	if _, err := h.code.Encode(payload, pcm); err != nil {
		panic(err)
	}
	f := codec.Frame{Arrival: h.now, Seq: h.seq, Timestamp: h.ts, Kind: codec.PCMU, Payload: payload}
	h.seq++
	h.pass(len(pcm))
	return f
}

// pass lets time and timestamps pass, without a packet.
func (h *handset) pass(samples int) {
	h.ts += uint32(samples)
	h.now += time.Duration(samples) * time.Second / 8000
}

// lose sends nothing where a packet of n samples would have been.
func (h *handset) lose(n int) {
	h.seq++
	h.pass(n)
}

func (h *handset) send(pcm []int16) {
	f := h.frame(pcm)
	h.phone.PushFrame(&f)
}

// speak sends count packets of ptime of a loud tone.
func (h *handset) speak(ptime time.Duration, count int) {
	for range count {
		h.send(tone(ptime))
	}
}

// hush sends count packets of ptime of digital silence.
func (h *handset) hush(ptime time.Duration, count int) {
	for range count {
		h.send(make([]int16, samples(ptime, 8000)))
	}
}

// tone returns a loud tone.
func tone(length time.Duration) []int16 { return Tone(8000, length, -20, 400) }

// steady returns sound whose every sample is the same as it comes out of PCMU.
func steady(length time.Duration, value int16) []int16 {
	pcm := make([]int16, samples(length, 8000))
	for i := range pcm {
		pcm[i] = value
	}
	return pcm
}
