package chorus

import (
	"slices"
	"time"

	"passerelle/codec/g711"
	"passerelle/codec/score"
)

// Evidence is what one listener heard, and what the others in its room sent meanwhile. It is a copy.
type Evidence struct {
	Book
	LostBefore float64 // fraction of the others' packets that were lost on their way to the peer, as it reports
	sound      *Sound
	heard      []Heard
	chirps     []Chirp
	others     []speaker
}

// speaker is what somebody else said.
type speaker struct {
	slot  int
	turns []turn
}

// Evidence copies what there is of a voice that listens, so that it can be judged while the sound goes on.
func (x *Chorus) Evidence(v *Voice) (e Evidence) {
	x.ask(func() {
		x.read()
		now := x.now()
		e = Evidence{Book: v.ear.book(now), sound: x.Sound, chirps: slices.Clone(v.room.chirps)}
		if v.record != nil {
			e.heard = slices.Clone(v.record.Packets)
		}
		lost, sent := 0, 0
		for _, m := range v.room.members {
			if m != v {
				e.others = append(e.others, speaker{m.slot, slices.Clone(m.turns)})
				book := m.ear.book(now)
				lost, sent = lost+book.Reported, sent+book.Sent
			}
		}
		e.LostBefore = float64(lost) / float64(max(1, sent))
		e.chirps = slices.DeleteFunc(e.chirps, func(c Chirp) bool { return c.Voice == v || c.Sent == 0 })
	})
	return e
}

// Verdict is what a listener's recording says.
type Verdict struct {
	Level  float64 // of all that was heard, dBov
	Chirps int     // that could be heard
	// Delays of those that were: from the sending of a packet to the arrival of the fastest packet of the
	// stream in which its sound is, less its place in each. The listener's own buffer is not in it.
	Delays []time.Duration
	Playout
	// Together is how many of the others talked at once, on average, whenever one did.
	Together float64
	// Match is what was heard, behind the buffer, against the sum of what the others said.
	Match score.Match
}

// mostJudged is how much of a recording is compared with what was said: it takes a while.
const mostJudged = 30 * time.Second

// Judge listens. lateBefore is the fraction of packets that came too late for the peer's own buffers, where that is
// known. It takes about a second, on the caller's goroutine.
func (e *Evidence) Judge(lateBefore float64) (v Verdict, err error) {
	tape, err := e.tape(time.Hour)
	if err != nil || len(tape.pcm) == 0 {
		return v, err
	}
	v.Level = score.Level(tape.pcm)
	v.Delays, v.Chirps = e.delays(tape)
	typical := time.Duration(0)
	if len(v.Delays) > 0 {
		typical = slices.Sorted(slices.Values(v.Delays))[len(v.Delays)/2]
	}
	v.Playout = e.Playout(typical, 1-(1-e.LostBefore)*(1-lateBefore), score.EquipmentOf(e.sound.Kind, true))
	if tape, err = e.tape(v.Depth); err != nil {
		return v, err
	}
	tape.pcm = tape.pcm[:min(len(tape.pcm), samples(mostJudged))]
	v.Together = e.together(tape.begin, tape.begin+time.Duration(len(tape.pcm))*time.Second/score.Rate)
	said := e.said(tape.begin, len(tape.pcm))
	if len(v.Delays) == 0 {
		v.Match = score.Find(said, tape.pcm, score.Rate)
		return v, nil
	}
	v.Match = score.Compare(said, tape.pcm, score.Rate, typical)
	return v, nil
}

// tape is a recording on the chorus' clock: sample 0 was played at begin, by a listener with the least buffer.
type tape struct {
	begin time.Duration
	pcm   []int16
}

// mostMadeUp bounds what is concealed at once; the rest of a longer gap is silence.
const mostMadeUp = 20 * frameBytes

// tape decodes what came within depth of the fastest packet; what did not is concealed.
func (e *Evidence) tape(depth time.Duration) (tape, error) {
	decoder, err := g711.NewDecoder(e.sound.Kind)
	if err != nil || len(e.heard) == 0 {
		return tape{}, err
	}
	first := e.heard[0].Timestamp
	place := func(h Heard) int { return int(int32(h.Timestamp - first)) }
	transit := func(h Heard) time.Duration { return h.At - time.Duration(place(h))*time.Second/score.Rate }
	t := tape{begin: transit(e.heard[0])}
	for _, h := range e.heard {
		t.begin = min(t.begin, transit(h))
	}
	packets := slices.DeleteFunc(slices.Clone(e.heard), func(h Heard) bool { return place(h) < 0 || transit(h)-t.begin > depth })
	slices.SortStableFunc(packets, func(a, b Heard) int { return place(a) - place(b) })
	var frame [6 * frameBytes]int16
	for _, h := range packets {
		gap := place(h) - len(t.pcm)
		if gap < 0 || gap > samples(time.Minute) {
			continue // twice, or from another source
		}
		made := make([]int16, gap)
		for at := 0; at < min(gap, mostMadeUp); at += frameBytes {
			if _, err := decoder.Conceal(made[at:min(at+frameBytes, gap)]); err != nil {
				return t, err
			}
		}
		n, err := decoder.Decode(frame[:], h.Payload)
		if err != nil {
			return t, err
		}
		t.pcm = append(append(t.pcm, made...), frame[:n]...)
	}
	return t, nil
}

// delays looks for each chirp.
func (e *Evidence) delays(t tape) (delays []time.Duration, sent int) {
	const (
		slowest = time.Second
		certain = 0.4
	)
	chirp := score.Chirp()
	for _, c := range e.chirps {
		from := samples(c.Sent - t.begin)
		to := from + samples(slowest) + len(chirp)
		if from < 0 || to > len(t.pcm) {
			continue
		}
		sent++
		if at, alike := score.FindChirp(chirp, t.pcm[from:to]); alike >= certain {
			heard := t.begin + time.Duration(from+at)*time.Second/score.Rate
			delays = append(delays, heard-c.Sent)
		}
	}
	return delays, sent
}

// said is the sum of what the others sent from a time on, as a decoder hears it.
func (e *Evidence) said(from time.Duration, n int) []int16 {
	sum := make([]int32, n)
	for _, s := range e.others {
		v := Voice{slot: s.slot}
		for _, t := range s.turns {
			for tick := t.from; tick < t.to; tick++ {
				frame, at := e.sound.speech, (t.frame+tick-t.from)%e.sound.speech.frames()
				if t.frame < 0 {
					frame, at = e.sound.chirp, tick-t.from
				}
				begin := samples(v.due(tick) - from)
				for i, s := range frame.pcm[at*frameBytes:][:frameBytes] {
					if k := begin + i; k >= 0 && k < n {
						sum[k] += int32(s)
					}
				}
			}
		}
	}
	pcm := make([]int16, n)
	for i, s := range sum {
		pcm[i] = int16(min(max(s, -32768), 32767))
	}
	return pcm
}

// together is how many of the others talk at once, on average over the ticks in which one does.
func (e *Evidence) together(from, to time.Duration) float64 {
	talk := map[int]int{}
	sum := 0
	for _, s := range e.others {
		for _, t := range s.turns {
			for tick := max(t.from, int(from/frameTime)); tick < min(t.to, int(to/frameTime)); tick++ {
				talk[tick]++
				sum++
			}
		}
	}
	return float64(sum) / float64(max(1, len(talk)))
}
