package audio

import (
	"math"
	"time"
)

// What the automatic gain goes by.
const (
	gainTarget = -20.0 // dBov of active speech, as ITU-T P.56 counts it
	gainMost   = 12.0  // dB
	gainLeast  = -6.0
	gainUp     = 3.0  // dB a second
	gainDown   = 10.0 // dB a second
	gainStart  = 3.0  // dB off the target before anything is done
	gainDone   = 0.5  // ... and when it is done

	voiceSpan  = 3 * time.Second        // of voice, over which its level is the mean
	voiceKnown = 800 * time.Millisecond // of voice, before its level is believed
	voiceRange = 39                     // times the power of what still counts has the level: 15.9 dB (P.56)
	voiceHang  = 200 * time.Millisecond // that count after it, likewise
	gainPiece  = 160                    // samples at a time
)

// leveller brings the voices of telephones to one level: a gain that follows the level of the voice slowly, and
// stands still while there is none, so that noise and pauses are not pumped up; and a limiter, so that nothing is
// ever clipped. A voice that is at its level, or near, passes as it is.
type leveller struct {
	off     bool
	rate    int
	power   float64 // mean, of the voice
	heard   float64 // seconds of voice in that mean, up to voiceSpan
	hang    float64 // seconds that still count
	gain    float64 // dB
	moving  bool    // towards what the level asks for
	factor  float32 // of the gain, at the end of the packet before
	limiter limiter

	// The piece in hand; on the stack it would double that of every call's reader.
	wide  [gainPiece]int32
	gains [gainPiece]float32
}

func newLeveller(rate int) leveller {
	return leveller{rate: rate, factor: 1, limiter: newLimiter(rate)}
}

// level brings one packet's sound to its level; voice says that there is one in it.
func (l *leveller) level(pcm []int16, voice bool) {
	if l.off || len(pcm) == 0 {
		return
	}
	from := l.factor
	l.listen(pcm, voice)
	if from == 1 && l.factor == 1 && l.limiter.gain == 1 {
		return
	}
	step := (l.factor - from) / float32(len(pcm))
	for rest := pcm; len(rest) > 0; {
		piece := rest[:min(gainPiece, len(rest))]
		rest = rest[len(piece):]
		from = l.amplify(piece, from, step)
	}
}

// listen measures a packet, and moves the gain by what its length allows, if it counts as voice.
func (l *leveller) listen(pcm []int16, voice bool) {
	if !voice && l.hang <= 0 {
		return
	}
	seconds := float64(len(pcm)) / float64(l.rate)
	p := power(pcm)
	l.hang -= seconds
	if voice && p*voiceRange > l.power {
		l.hang = voiceHang.Seconds()
	}
	if l.hang <= 0 {
		return
	}
	l.heard = min(l.heard+seconds, voiceSpan.Seconds())
	l.power += (p - l.power) * min(1, seconds/l.heard)
	if l.heard < voiceKnown.Seconds() {
		return
	}
	want := min(max(gainTarget-10*math.Log10(l.power/fullPower), gainLeast), gainMost)
	off := want - l.gain
	if math.Abs(off) > gainStart {
		l.moving = true
	}
	if !l.moving {
		return
	}
	l.gain += min(max(off, -gainDown*seconds), gainUp*seconds)
	l.moving = math.Abs(want-l.gain) > gainDone
	l.factor = float32(math.Pow(10, l.gain/20))
}

// amplify multiplies up to gainPiece samples by a factor that grows by step with each, and limits them. It
// returns the factor of the last.
func (l *leveller) amplify(pcm []int16, factor, step float32) float32 {
	wide := l.wide[:len(pcm)]
	for i, s := range pcm {
		factor += step
		wide[i] = int32(float32(s) * factor)
	}
	gains := l.gains[:len(pcm)]
	if !l.limiter.shape(gains, wide) {
		for i := range pcm {
			pcm[i] = int16(wide[i])
		}
		return factor
	}
	for i := range pcm {
		pcm[i] = int16(float32(wide[i]) * gains[i])
	}
	return factor
}
