package chorus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
)

const (
	headerSize = 12
	frameTime  = 20 * time.Millisecond
	frameBytes = 160 // of G.711
)

// Sound is what phones say, encoded once for all of them.
type Sound struct {
	Kind   codec.Kind
	speech recording
	noise  recording // what a phone sends while nobody speaks into it
	chirp  recording
}

// recording is whole frames, as they are sent and as a decoder hears them, at score.Rate.
type recording struct {
	payload []byte
	pcm     []int16
}

func (r recording) frames() int { return len(r.payload) / frameBytes }

func (r recording) frame(i int) []byte { return r.payload[i*frameBytes:][:frameBytes] }

// NewSound encodes speech, at score.Rate, and noise of a level in dBov, score.Floor for none.
func NewSound(kind codec.Kind, speech []int16, noise float64) (*Sound, error) {
	s := &Sound{Kind: kind}
	for _, r := range []struct {
		to  *recording
		pcm []int16
	}{{&s.speech, speech}, {&s.noise, whiteNoise(noise)}, {&s.chirp, score.Chirp()}} {
		var err error
		if *r.to, err = encode(kind, r.pcm); err != nil {
			return nil, err
		}
	}
	if s.speech.frames() == 0 {
		return nil, fmt.Errorf("there is no speech to say")
	}
	return s, nil
}

// encode makes whole frames of pcm.
func encode(kind codec.Kind, pcm []int16) (recording, error) {
	encoder, err := g711.NewEncoder(kind)
	if err != nil {
		return recording{}, err
	}
	decoder, err := g711.NewDecoder(kind)
	if err != nil {
		return recording{}, err
	}
	n := len(pcm) / frameBytes * frameBytes
	r := recording{make([]byte, n), make([]int16, n)}
	if _, err := encoder.Encode(r.payload, pcm[:n]); err != nil {
		return recording{}, err
	}
	_, err = decoder.Decode(r.pcm, r.payload)
	return r, err
}

// whiteNoise is two seconds of it.
func whiteNoise(level float64) []int16 {
	pcm := make([]int16, 2*score.Rate)
	if level <= score.Floor {
		return pcm
	}
	random := rand.New(rand.NewPCG(1, 1))
	amplitude := 32768 * math.Pow(10, level/20)
	for i := range pcm {
		pcm[i] = int16(math.RoundToEven(amplitude * random.NormFloat64()))
	}
	return pcm
}

// WithoutPauses takes out of speech, at score.Rate, what is quiet for longer than 150 ms, 50 ms at either side of it
// excepted: whoever talks, talks.
func WithoutPauses(pcm []int16) []int16 {
	const step, keep, quiet = score.Rate / 100, 5, 15 // 10 ms; in steps
	loudest, _ := score.Loudest(pcm, score.Rate)
	n := len(pcm) / step
	silent := func(i int) bool { return score.Level(pcm[i*step:(i+1)*step]) < loudest-35 }
	var out []int16
	for i := 0; i < n; {
		end := i
		for end < n && silent(end) {
			end++
		}
		if end-i > quiet {
			out = append(out, pcm[i*step:(i+keep)*step]...)
			i = end - keep
			for ; i < end; i++ {
				out = append(out, pcm[i*step:(i+1)*step]...)
			}
			continue
		}
		for ; i <= end && i < n; i++ {
			out = append(out, pcm[i*step:(i+1)*step]...)
		}
	}
	return out
}
