package conceal

import (
	"math"
	"os"
	"slices"
	"testing"

	"passerelle/codec/wav"
)

// rates are those at which telephones sound.
var rates = []int{8000, 16000}

// speech returns one of the reference voices.
func speech(t testing.TB, voice string, rate int) []int16 {
	t.Helper()
	f, err := os.Open("../../testdata/speech/" + voice + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, from, err := wav.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, from, rate)
}

func sine(rate int, hz, amplitude float64, samples int) []int16 {
	pcm := make([]int16, samples)
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

func rms(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(pcm), 1)))
}

func TestConcealedLevel(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		c := New(rate)
		c.Hear(sine(rate, 200, 10000, 200*ms))
		heard := rms(sine(rate, 200, 10000, 10*ms))
		lost := make([]int16, 100*ms)
		c.Fill(lost)
		tests := []struct {
			name     string
			from, to int // ms lost
			want     float64
		}{
			{"the first 10 ms in full", 0, 10, 1},
			{"then a fifth less every 10 ms", 10, 20, 0.9},
			{"", 20, 30, 0.7},
			{"", 30, 40, 0.5},
			{"", 40, 50, 0.3},
			{"", 50, 60, 0.1},
			{"silent after 60 ms", 60, 100, 0},
		}
		for _, tt := range tests {
			got := rms(lost[tt.from*ms:tt.to*ms]) / heard
			if math.Abs(got-tt.want) > 0.03 {
				t.Errorf("%d Hz: %s: %d to %d ms at %.2f of what was heard, want %.2f", rate, tt.name, tt.from, tt.to, got, tt.want)
			}
		}
	}
}

// A voice with all its overtones is continued in its rhythm, without a step at the beginning, where
// the cycle grows, nor at the end.
func TestConcealedPitch(t *testing.T) {
	for _, rate := range rates {
		for _, hz := range []float64{70, 95, 120, 150.5, 190} {
			continues(t, rate, hz)
		}
	}
}

func continues(t *testing.T, rate int, hz float64) {
	ms := rate / 1000
	voice := make([]int16, 400*ms)
	for overtone := 1.0; overtone <= 6; overtone++ {
		for i, s := range sine(rate, overtone*hz, 6000/overtone, len(voice)) {
			voice[i] += s
		}
	}
	c := New(rate)
	pcm := slices.Clone(voice)
	begin, end := 200*ms, 220*ms
	c.Hear(pcm[:begin])
	c.Fill(pcm[begin:end])
	c.Hear(pcm[end:])
	steepest := 0.0
	for i := range voice[1:] {
		steepest = math.Max(steepest, math.Abs(float64(voice[i+1])-float64(voice[i])))
	}
	var off, all float64
	for i := begin - 10; i < 240*ms; i++ {
		if step := math.Abs(float64(pcm[i+1]) - float64(pcm[i])); step > 1.3*steepest {
			t.Errorf("%d Hz: %v Hz: a step of %.0f at %d; the voice's own are %.0f at most", rate, hz, step, i-begin, steepest)
		}
		if i >= begin && i < begin+10*ms { // before it is attenuated
			off += math.Pow(float64(pcm[i])-float64(voice[i]), 2)
			all += math.Pow(float64(voice[i]), 2)
		}
	}
	if snr := 10 * math.Log10(all/(off+1)); snr < 12 {
		t.Errorf("%d Hz: %v Hz: the first 10 ms made up are %.1f dB over their error, want 12", rate, hz, snr)
	}
}

// Where a loss begins in speech, the first sample made up goes on from the last one heard as smoothly
// as the voice itself: no click.
func TestConcealWithoutClick(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		var made, voice float64
		for _, sound := range [][]int16{speech(t, "rms", rate), speech(t, "slt", rate)} {
			for at := 500 * ms; at < len(sound); at += 50 * ms {
				if rms(sound[at-20*ms:at]) < 1000 {
					continue
				}
				c := New(rate)
				c.Hear(sound[at-60*ms : at])
				first := make([]int16, 1)
				c.Fill(first)
				bend := func(s int16) float64 { return math.Abs(float64(s) - 2*float64(sound[at-1]) + float64(sound[at-2])) }
				made += bend(first[0])
				voice += bend(sound[at])
			}
		}
		if made > 1.2*voice {
			t.Errorf("%d Hz: the made up sound bends %.2f times as sharply as the voice where it begins, want 1.2 at most", rate, made/voice)
		}
	}
}

func TestConcealBeforeAnythingWasHeard(t *testing.T) {
	c := New(8000)
	pcm := slices.Repeat([]int16{99}, 480)
	if c.Fill(pcm); rms(pcm) != 0 {
		t.Error("a stream that has not begun is concealed by noise, want silence")
	}
}

func TestResetForgets(t *testing.T) {
	c := New(8000)
	pcm := sine(8000, 500, 8000, 160)
	c.Hear(pcm)
	c.Fill(pcm)
	c.Reset()
	if c.Fill(pcm); rms(pcm) != 0 {
		t.Error("after Reset the old stream is still heard")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	c := New(16000)
	pcm := sine(16000, 500, 8000, 320)
	allocs := testing.AllocsPerRun(100, func() {
		c.Hear(pcm)
		c.Fill(pcm)
		c.Reset()
	})
	if allocs != 0 {
		t.Errorf("%v allocations a loss, want 0", allocs)
	}
}

// However the loss is cut into calls, the same is heard.
func TestConcealInPieces(t *testing.T) {
	voice := speech(t, "slt", 8000)[6000:8000]
	whole, pieces := make([]int16, 480), make([]int16, 480)
	a, b := New(8000), New(8000)
	a.Hear(voice)
	b.Hear(voice)
	a.Fill(whole)
	for rest, n := pieces, 1; len(rest) > 0; n = n%97 + 7 {
		n = min(n, len(rest))
		b.Fill(rest[:n])
		rest = rest[n:]
	}
	if !slices.Equal(whole, pieces) {
		t.Error("a loss of 60 ms in pieces differs from the same in one call")
	}
}

// Packets of any size, tiny ones too, end a loss.
func TestReturnInTinyPackets(t *testing.T) {
	c := New(8000)
	voice := sine(8000, 150, 8000, 1600)
	c.Hear(slices.Clone(voice))
	c.Fill(make([]int16, 2000))
	pcm := make([]int16, 8)
	for i := range 20 {
		copy(pcm, voice[8*i:])
		c.Hear(pcm)
	}
	if want := rms(voice[152:160]); math.Abs(rms(pcm)-want) > want/20 {
		t.Errorf("20 ms after a loss the level is %.0f, want %.0f", rms(pcm), want)
	}
}

// On speech, what is made up is nearer to what was lost than silence or the last packet again would
// be. In waveform always; in spectrum always nearer than silence, and nearer than the repeated packet
// as long as it is not being attenuated.
func TestConcealedSpeech(t *testing.T) {
	conceal := func(c *Concealer, pcm, _ []int16) { c.Fill(pcm) }
	silence := func(_ *Concealer, pcm, _ []int16) { clear(pcm) }
	repeat := func(_ *Concealer, pcm, last []int16) { copy(pcm, last) }
	voices := [][]int16{speech(t, "rms", 8000), speech(t, "slt", 8000)}
	for i, want := range []float64{3, 1, 0.5} {
		burst := i + 1
		snr, distance := degrade(t, voices, burst, conceal)
		repeatSNR, repeatDistance := degrade(t, voices, burst, repeat)
		_, silenceDistance := degrade(t, voices, burst, silence) // at 0 dB by definition
		t.Logf("%d packets of 20 ms lost in ten: concealed %.1f dB, %.1f dB off in spectrum; repeated %.1f, %.1f; silent 0.0, %.1f",
			burst, snr, distance, repeatSNR, repeatDistance, silenceDistance)
		if snr < want || snr < repeatSNR+3 {
			t.Errorf("%d lost: concealed speech is %.1f dB over its error, repeated %.1f; want %.1f, and 3 more than repeated", burst, snr, repeatSNR, want)
		}
		if distance > silenceDistance-5 || burst == 1 && distance > repeatDistance {
			t.Errorf("%d lost: spectrum off by %.1f dB, repeated %.1f, silent %.1f; want it nearest", burst, distance, repeatDistance, silenceDistance)
		}
	}
}

// degrade loses packets of 20 ms, burst in a row of every ten, and returns how near to the original
// what is heard instead is, over the packets that were lost and had speech: the mean ratio of signal
// to error in dB, and the mean distance of their spectra in dB.
func degrade(t *testing.T, voices [][]int16, burst int, instead func(c *Concealer, pcm, last []int16)) (snr, distance float64) {
	lost := 0
	for phase, sound := range voices {
		c := New(8000)
		pcm, last := make([]int16, 160), make([]int16, 160)
		for i := 0; i+160 <= len(sound); i += 160 {
			original := sound[i : i+160]
			if (i/160+5*phase)%10 >= burst {
				copy(pcm, original)
				c.Hear(pcm)
				copy(last, pcm)
				continue
			}
			instead(c, pcm, last)
			if rms(original) < 300 {
				continue
			}
			lost++
			snr += segmentSNR(original, pcm)
			distance += spectralDistance(original, pcm)
		}
	}
	return snr / float64(lost), distance / float64(lost)
}

func segmentSNR(original, heard []int16) float64 {
	off := make([]int16, len(heard))
	for i := range off {
		off[i] = int16(min(max(int(original[i])-int(heard[i]), math.MinInt16), math.MaxInt16))
	}
	return 20 * math.Log10((rms(original)+1)/(rms(off)+1))
}

// spectralDistance compares the powers in bands of 200 Hz, from 200 to 3400 Hz, with a floor 40 dB
// below the original's mean.
func spectralDistance(original, heard []int16) float64 {
	floor := math.Pow(rms(original), 2) / 1e4
	var sum float64
	bands := 0
	for hz := 300.0; hz < 3400; hz += 200 {
		d := 10 * math.Log10((band(original, hz)+floor)/(band(heard, hz)+floor))
		sum += d * d
		bands++
	}
	return math.Sqrt(sum / float64(bands))
}

func band(pcm []int16, middle float64) float64 {
	var power float64
	for hz := middle - 75; hz < middle+100; hz += 50 {
		var re, im float64
		for i, s := range pcm {
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 8000)
			w := 1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
			re += w * float64(s) * cos
			im += w * float64(s) * sin
		}
		power += 2 * (re*re + im*im) / float64(len(pcm)*len(pcm))
	}
	return power
}
