package opus

import (
	"errors"
	"math"
	"slices"
	"testing"

	"passerelle/codec/score"
)

// On speech with every fifth packet lost, FEC brings back most of what concealment has to make up.
func TestRecoverIsBetterThanConceal(t *testing.T) {
	for _, rate := range rates {
		frame := rate / 50
		voice := speech(t, "slt", rate)[:6*rate]
		coded := packets(t, encoder(t, Config{Rate: rate, FEC: true, LossPercent: 20}), voice, frame)
		whole := play(t, rate, coded, func(*Decoder, []int16, []byte) {}, false)
		hidden := play(t, rate, coded, func(d *Decoder, pcm []int16, _ []byte) { must2(t)(d.Conceal(pcm)) }, true)
		recovered := play(t, rate, coded, func(d *Decoder, pcm []int16, next []byte) { must2(t)(d.Recover(pcm, next)) }, true)
		plc, fec := overError(whole, hidden, frame), overError(whole, recovered, frame)
		t.Logf("%d Hz: lost speech concealed %.1f dB over its error, recovered %.1f", rate, plc, fec)
		if fec < 6 || fec < plc+4 {
			t.Errorf("%d Hz: recovered speech is %.1f dB over its error, concealed %.1f; want 6, and 4 more", rate, fec, plc)
		}
	}
}

// play decodes packets, every fifth of which is lost where lossy is set.
func play(t *testing.T, rate int, coded [][]byte, instead func(d *Decoder, pcm []int16, next []byte), lossy bool) []int16 {
	d := decoder(t, rate)
	var heard []int16
	for i, p := range coded {
		pcm := make([]int16, rate/50)
		if lossy && i%5 == 4 && i+1 < len(coded) {
			instead(d, pcm, coded[i+1])
		} else {
			must2(t)(d.Decode(pcm, p))
		}
		heard = append(heard, pcm...)
	}
	return heard
}

// overError returns the mean ratio of signal to error, in dB, over the lost frames that have speech.
func overError(whole, heard []int16, frame int) float64 {
	var sum float64
	n := 0
	for i := 4 * frame; i+frame < len(whole); i += 5 * frame {
		if score.Level(whole[i:i+frame]) < -40 {
			continue
		}
		off := make([]int16, frame)
		for k := range off {
			off[k] = int16(min(max(int(whole[i+k])-int(heard[i+k]), math.MinInt16), math.MaxInt16))
		}
		sum += score.Level(whole[i:i+frame]) - score.Level(off)
		n++
	}
	return sum / float64(n)
}

func TestConcealFades(t *testing.T) {
	for _, rate := range rates {
		voice := speech(t, "slt", rate)[rate:]
		d := decoder(t, rate)
		pcm := make([]int16, rate/50)
		for _, p := range packets(t, encoder(t, Config{Rate: rate}), voice[:rate], rate/50) {
			must2(t)(d.Decode(pcm, p))
		}
		before := score.Level(pcm)
		must2(t)(d.Conceal(pcm))
		if first := score.Level(pcm); first < before-10 {
			t.Errorf("%d Hz: the first lost frame is at %.0f dBov after %.0f, want no less than 10 below", rate, first, before)
		}
		for range 25 {
			must2(t)(d.Conceal(pcm))
		}
		if last := score.Level(pcm); last > before-25 {
			t.Errorf("%d Hz: half a second after the loss: %.0f dBov after %.0f, want 25 less", rate, last, before)
		}
	}
}

func TestConcealBeforeAnythingWasHeard(t *testing.T) {
	d := decoder(t, 8000)
	pcm := slices.Repeat([]int16{99}, 160)
	if n := must2(t)(d.Conceal(pcm)); n != 160 || score.Level(pcm) != score.Floor {
		t.Errorf("%d samples at %.0f dBov, want 160 silent ones", n, score.Level(pcm))
	}
}

func TestOnlyWholeFramesAreMadeUp(t *testing.T) {
	d := decoder(t, 16000)
	for samples, ok := range map[int]bool{0: false, 39: false, 40: true, 41: false, 160: true, 480: true, 1920: true} {
		pcm := make([]int16, samples)
		_, concealed := d.Conceal(pcm)
		_, recovered := d.Recover(pcm, []byte{0x48, 1, 2, 3})
		if errors.Is(concealed, ErrWhole) == ok || errors.Is(recovered, ErrWhole) == ok {
			t.Errorf("%d samples: got %v and %v; want them made up: %v", samples, concealed, recovered, ok)
		}
	}
}

func TestEmptyPackets(t *testing.T) {
	d := decoder(t, 8000)
	if _, err := d.Decode(make([]int16, 960), nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("decode: got %v, want ErrEmpty", err)
	}
	if n := must2(t)(d.Recover(make([]int16, 160), nil)); n != 160 {
		t.Errorf("recover: %d samples, want 160 concealed", n)
	}
}

// A DTX packet is one byte that lasts as long as the frames before, fades what was heard, and lets
// speech go on after it.
func TestDTXPayload(t *testing.T) {
	for _, rate := range rates {
		for _, ms := range []int{10, 20, 40, 60} {
			frame := rate * ms / 1000
			voice := speech(t, "slt", rate)[rate:]
			e, d := encoder(t, Config{Rate: rate}), decoder(t, rate)
			pcm := make([]int16, rate*120/1000)
			for _, p := range packets(t, e, voice[:frame*10], frame) {
				must2(t)(d.Decode(pcm, p))
			}
			before := score.Level(pcm[:frame])
			dtx := make([]byte, 1)
			if n := e.DTXPayload(dtx); n != 1 {
				t.Fatalf("a DTX packet of %d bytes", n)
			}
			lasts := frame
			if rate == 48000 && ms > 20 {
				lasts = rate / 50 // hybrid frames have 10 or 20 ms
			}
			n := 0
			for range 25 {
				n = must2(t)(d.Decode(pcm, dtx))
			}
			if n != lasts {
				t.Errorf("%d Hz, %d ms: DTX lasts %d samples, want %d", rate, ms, n, lasts)
			}
			if level := score.Level(pcm[:n]); level > before-20 || level > -45 {
				t.Errorf("%d Hz, %d ms: after DTX %.0f dBov, before %.0f; want silence", rate, ms, level, before)
			}
			next := packets(t, e, voice[:frame], frame)[0]
			if n := must2(t)(d.Decode(pcm, next)); n != frame || score.Level(pcm[:n]) < -50 {
				t.Errorf("%d Hz, %d ms: speech after DTX has %d samples at %.0f dBov", rate, ms, n, score.Level(pcm[:n]))
			}
		}
	}
}

// A stream may begin in silence.
func TestDTXPayloadFirst(t *testing.T) {
	for _, rate := range rates {
		e, d := encoder(t, Config{Rate: rate}), decoder(t, rate)
		pcm, dst := make([]int16, rate*120/1000), make([]byte, 1)
		n := must2(t)(d.Decode(pcm, dst[:e.DTXPayload(dst)]))
		if n != rate/50 || score.Level(pcm[:n]) != score.Floor {
			t.Errorf("%d Hz: %d samples at %.0f dBov, want 20 ms of silence", rate, n, score.Level(pcm[:n]))
		}
		silent := dst[0]
		if speaks := packets(t, e, make([]int16, rate/50), rate/50)[0][0]; silent != speaks&^3 {
			t.Errorf("%d Hz: DTX begins with TOC %#x, speech with %#x", rate, silent, speaks)
		}
	}
}

// Whatever the network brings: a decoder writes as many samples as the packet's TOC says (RFC 6716
// section 3.1), or refuses it, and decodes what is good afterwards.
func FuzzDecode(f *testing.F) {
	const rate = 8000
	voice := speech(f, "slt", rate)[rate:]
	for _, ms := range []int{10, 20, 60} {
		for _, p := range packets(f, encoder(f, Config{Rate: rate, FEC: true, LossPercent: 20}), voice[:rate/4], rate*ms/1000) {
			f.Add(p)
		}
	}
	f.Add([]byte{0x08})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Add([]byte{0x7b, 0x41, 3, 1, 2, 3, 0, 0, 0})
	good := packets(f, encoder(f, Config{Rate: rate}), voice[:160], 160)[0]
	f.Fuzz(func(t *testing.T, packet []byte) {
		d := decoder(t, rate)
		pcm := slices.Repeat([]int16{99}, rate*130/1000)
		room := pcm[: rate*120/1000 : rate*120/1000]
		n, err := d.Decode(room, packet)
		if err == nil && n != length(packet, rate) {
			t.Errorf("%d samples, want %d", n, length(packet, rate))
		}
		if n, err := d.Recover(room[:160], packet); err == nil && n != 160 {
			t.Errorf("recovered %d samples, want 160", n)
		}
		if slices.ContainsFunc(pcm[len(room):], func(s int16) bool { return s != 99 }) {
			t.Error("written beyond the slice")
		}
		if n, err := d.Decode(room, good); n != 160 || err != nil {
			t.Errorf("a good packet afterwards: %d samples, %v", n, err)
		}
	})
}

// length returns how many samples a packet says it has.
func length(packet []byte, rate int) int {
	var tenths int // of a ms
	switch c := packet[0] >> 3; {
	case c < 12:
		tenths = []int{100, 200, 400, 600}[c%4]
	case c < 16:
		tenths = []int{100, 200}[c%2]
	default:
		tenths = []int{25, 50, 100, 200}[c%4]
	}
	frames := []int{1, 2, 2, 0}[packet[0]&3]
	if frames == 0 {
		frames = int(packet[1] & 63)
	}
	return rate * tenths / 10000 * frames
}

// An encoder that is told of a loss in mid-stream adds FEC from then on, and leaves it out again when it is told of none.
func TestFECFollowsTheLoss(t *testing.T) {
	voice := speech(t, "slt", 8000)[:8000*6]
	e := encoder(t, Config{Rate: 8000, FEC: true})
	var shares [3]float64
	for i, percent := range []int{0, 20, 0} {
		if err := e.SetLoss(percent); err != nil {
			t.Fatal(err)
		}
		coded := packets(t, e, voice[i*16000:(i+1)*16000], 160)
		for _, p := range coded {
			if len(p) > 2 && p[1]&0x40 != 0 { // the LBRR flag of a mono SILK frame (RFC 6716 section 4.2.3)
				shares[i] += 1 / float64(len(coded))
			}
		}
	}
	t.Logf("with FEC: %.2f of the packets at no loss, %.2f at 20%%, %.2f at none again", shares[0], shares[1], shares[2])
	if shares[0] > 0 || shares[1] < 0.5 || shares[2] > 0.02 {
		t.Errorf("with FEC: %.2f at no loss, %.2f at 20%%, %.2f at none again; want none, most, none", shares[0], shares[1], shares[2])
	}
}
