package opus

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"passerelle/codec/score"
)

func pool(t testing.TB, cfg Config) *Pool {
	t.Helper()
	p, err := NewPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// frames encodes pcm with a Stream, in frames of 20 ms.
func frames(t testing.TB, s *Stream, pcm []int16, rate int) [][]byte {
	t.Helper()
	var out [][]byte
	for frame := range slices.Chunk(pcm, rate/50) {
		dst := make([]byte, MaxPacket)
		out = append(out, dst[:must2(t)(s.Encode(dst, frame))])
	}
	return out
}

func TestPoolConfig(t *testing.T) {
	if _, err := NewPool(Config{Rate: 12000}); !errors.Is(err, ErrRate) {
		t.Errorf("got %v, want ErrRate", err)
	}
	s := pool(t, Config{Rate: 8000}).Stream()
	for _, percent := range []int{-1, 101} {
		if err := s.SetLoss(percent); !errors.Is(err, ErrLoss) {
			t.Errorf("a loss of %d%%: got %v, want ErrLoss", percent, err)
		}
	}
}

// A stream that has rested makes the packets of a new encoder, with the loss that it was told, whoever had its encoder
// meanwhile. Its DTX packets go on from what it said last.
func TestStreamRests(t *testing.T) {
	for _, rate := range rates {
		voice, other := speech(t, "rms", rate)[rate:][:rate], speech(t, "slt", rate)[rate:][:rate]
		want := packets(t, encoder(t, Config{Rate: rate, FEC: true, LossPercent: 20}), voice, rate/50)
		p := pool(t, Config{Rate: rate, FEC: true})
		a, b := p.Stream(), p.Stream()
		dtx := make([]byte, 1)
		if a.DTXPayload(dtx); dtx[0] != firstTOC(rate)&^3 {
			t.Errorf("%d Hz: DTX begins with TOC %#x, want %#x", rate, dtx[0], firstTOC(rate)&^3)
		}
		for _, when := range []string{"asleep", "awake"} {
			if err := a.SetLoss(20); err != nil {
				t.Fatal(err)
			}
			got := frames(t, a, voice, rate)
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d Hz, told of the loss while %s: other packets than those of a new encoder", rate, when)
			}
			a.Rest()
			if a.DTXPayload(dtx); dtx[0] != got[len(got)-1][0]&^3 {
				t.Errorf("%d Hz: DTX after a rest has TOC %#x, want %#x", rate, dtx[0], got[len(got)-1][0]&^3)
			}
			frames(t, b, other, rate) // another loss, and another voice
			b.Rest()
			if when == "asleep" {
				frames(t, a, voice[:rate/50], rate)
				a.Reset()
			}
		}
	}
}

// What is said after two seconds of silence comes as well over an encoder that has rested as over one that has not, with
// no greater a step where it begins, and without the last of what was said before: that is still in one that has not.
func TestSpeechAfterARest(t *testing.T) {
	for _, rate := range rates {
		word := append(make([]int16, rate/25), speech(t, "slt", rate)[rate:][:rate]...) // as the gate's look-back has it
		said := func(rest bool) []int16 {
			s, d := pool(t, Config{Rate: rate, FEC: true}).Stream(), decoder(t, rate)
			var heard []int16
			pcm, dtx := make([]int16, rate*120/1000), make([]byte, 1)
			decode := func(p []byte) { heard = append(heard, pcm[:must2(t)(d.Decode(pcm, p))]...) }
			for _, p := range frames(t, s, word, rate) {
				decode(p)
			}
			if rest {
				s.Rest()
			}
			s.DTXPayload(dtx)
			for range 100 { // what a receiver makes of the pauses between DTX packets
				decode(dtx)
			}
			heard = heard[:0]
			for _, p := range frames(t, s, word, rate) {
				decode(p)
			}
			return heard
		}
		kept, rested := said(false), said(true)
		k, r := score.Find(word, kept, rate), score.Find(word, rested, rate)
		lead, onset := rested[:rate/25], func(heard []int16) []int16 { return heard[rate/25:][:rate/20] }
		t.Logf("%d Hz: likeness %.3f kept, %.3f rested; before the word %.0f dBov and %.0f; the greatest step of its beginning %d and %d",
			rate, k.Median, r.Median, score.Level(kept[:rate/25]), score.Level(lead), step(onset(kept)), step(onset(rested)))
		if r.Median < k.Median-0.01 || r.Median < 0.9 {
			t.Errorf("%d Hz: likeness %.3f after a rest, %.3f without", rate, r.Median, k.Median)
		}
		if score.Level(lead) > -70 || float64(step(onset(rested))) > 1.1*float64(step(onset(kept))) {
			t.Errorf("%d Hz: %.0f dBov before the word, and a step of %d where it begins", rate, score.Level(lead), step(onset(rested)))
		}
	}
}

// step is the greatest difference from sample to sample.
func step(pcm []int16) (most int) {
	for i := 1; i < len(pcm); i++ {
		most = max(most, max(int(pcm[i])-int(pcm[i-1]), int(pcm[i-1])-int(pcm[i])))
	}
	return most
}

func TestNothingIsAllocatedByAStream(t *testing.T) {
	s := pool(t, Config{Rate: 8000, FEC: true}).Stream()
	voice, dst := speech(t, "slt", 8000)[8000:][:160], make([]byte, MaxPacket)
	allocs := testing.AllocsPerRun(100, func() {
		_ = s.SetLoss(5)
		must2(t)(s.Encode(dst, voice))
		must2(t)(s.DTXPayload(dst), nil)
	})
	if allocs != 0 {
		t.Errorf("%v allocations a frame, want 0", allocs)
	}
}
