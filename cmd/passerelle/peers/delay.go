package peers

import (
	"fmt"
	"math"
	"slices"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
)

// How long a gateway keeps sound is measured by one clock, in one process that is both ends:
//
//   - Up, every packet of the phone becomes one packet to the room. Which one is told by rhythm: the phone
//     sends at irregular times, and the room's packets follow it (matchUp). What Opus itself looks ahead
//     is in the packets, not between them.
//   - Down, packets are made anew, by the gateway's clock. Which sample came from where is told by
//     correlation with what a decoder makes of the browser's packets, window by window, and a sample's
//     delay is from the sending of the packet that brought it to the arrival of the one that has it, less
//     its place in each (matchDown).

// Moment is a packet that was sent or received: when, and where it begins on its stream's own time line.
type Moment struct {
	At    time.Time
	Begin int // in samples at 8000 Hz, from the first packet's beginning
}

// matchUp returns how long each packet of the phone took to the browser. The room's packets may begin
// with any of the phone's: the right one is where the delays are most alike.
func matchUp(sent, received []Moment) ([]time.Duration, error) {
	const frame, farthest = 160, 200
	at := map[int]time.Time{}
	for _, p := range received {
		at[p.Begin] = p.At
	}
	var best []time.Duration
	alike := math.Inf(1)
	for shift := -farthest; shift <= farthest; shift++ {
		var delays []time.Duration
		for _, p := range sent {
			if got, ok := at[p.Begin+shift*frame]; ok {
				delays = append(delays, got.Sub(p.At))
			}
		}
		if len(delays) < len(sent)/2 {
			continue
		}
		if s := spread(delays); s < alike {
			alike, best = s, delays
		}
	}
	if best == nil {
		return nil, fmt.Errorf("of %d packets sent and %d received no order fits", len(sent), len(received))
	}
	return best, nil
}

// spread is the mean absolute deviation from the median, in seconds.
func spread(delays []time.Duration) float64 {
	middle := percentile(delays, 50)
	var sum float64
	for _, d := range delays {
		sum += math.Abs((d - middle).Seconds())
	}
	return sum / float64(len(delays))
}

// percentile returns the p-th percentile, p from 0 to 100.
func percentile(delays []time.Duration, p int) time.Duration {
	if len(delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(delays))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// matchDown returns how long the sound in each packet to the phone took from the browser. reference is
// what a decoder makes of the packets sent, heard what one makes of those received, both at 8000 Hz;
// offset is how far heard is behind reference, roughly, in samples. Packets in which nobody speaks are
// left out.
func matchDown(sent, received []Moment, reference, heard []int16, offset int) (delays []time.Duration) {
	const window, slack = 1600, 480 // 200 and 60 ms
	for _, p := range received {
		from := p.Begin - window/2
		if from < 0 || p.Begin+window/2 > len(heard) {
			continue
		}
		lag, alike := bestLag(reference, heard[from:from+window], from-offset, slack)
		if alike < 0.9 {
			continue
		}
		source := p.Begin - offset - lag
		i, ok := slices.BinarySearchFunc(sent, source, func(m Moment, s int) int { return m.Begin - s })
		if !ok {
			i--
		}
		if i < 0 || i >= len(sent) {
			continue
		}
		into := time.Duration(source-sent[i].Begin) * time.Second / 8000
		delays = append(delays, p.At.Sub(sent[i].At)-into)
	}
	return delays
}

// bestLag finds piece in reference near at: how many samples earlier than at it is found, and how alike
// the two are there, 0 to 1. A piece without sound is like nothing.
func bestLag(reference, piece []int16, at, slack int) (lag int, alike float64) {
	var power float64
	for _, s := range piece {
		power += float64(s) * float64(s)
	}
	if power/float64(len(piece)) < 200*200 {
		return 0, 0
	}
	for l := -slack; l <= slack; l++ {
		from := at - l
		if from < 0 || from+len(piece) > len(reference) {
			continue
		}
		var product, other float64
		for i, s := range piece {
			r := float64(reference[from+i])
			product += r * float64(s)
			other += r * r
		}
		if c := product / math.Sqrt(power*other); c > alike {
			lag, alike = l, c
		}
	}
	return lag, alike
}

// unroll decodes packets of mu-law and lays each where its timestamp says, silence between them: the
// gateway skips time where its machine is busy. began is when the packets' stream was made.
func unroll(began time.Time, packets []Packet) (moments []Moment, pcm []int16, err error) {
	decoder, err := g711.NewDecoder(codec.PCMU)
	if err != nil {
		return nil, nil, err
	}
	frame := make([]int16, 960)
	for _, p := range packets {
		n, err := decoder.Decode(frame, p.Payload)
		if err != nil {
			return nil, nil, err
		}
		begin := int(int32(p.Timestamp - packets[0].Timestamp))
		if begin < len(pcm) {
			continue // late, or twice
		}
		pcm = append(pcm, make([]int16, begin-len(pcm))...)
		pcm = append(pcm, frame[:n]...)
		moments = append(moments, Moment{At: began.Add(p.At), Begin: begin})
	}
	return moments, pcm, nil
}

// encodeOpus makes 20 ms packets of sound at 48000 Hz, as a browser would, and returns them with what a
// decoder at 8000 Hz makes of them.
func encodeOpus(pcm []int16) (packets [][]byte, decoded []int16, err error) {
	encoder, err := opus.NewEncoder(opus.Config{Rate: 48000, Bitrate: 32000})
	if err != nil {
		return nil, nil, err
	}
	defer encoder.Close()
	decoder, err := opus.NewDecoder(8000)
	if err != nil {
		return nil, nil, err
	}
	defer decoder.Close()
	const frame = 960
	b, out := make([]byte, 1275), make([]int16, frame)
	for at := 0; at+frame <= len(pcm); at += frame {
		n, err := encoder.Encode(b, pcm[at:at+frame])
		if err != nil {
			return nil, nil, err
		}
		packets = append(packets, append([]byte(nil), b[:n]...))
		if n, err = decoder.Decode(out, b[:n]); err != nil {
			return nil, nil, err
		}
		decoded = append(decoded, out[:n]...)
	}
	return packets, decoded, nil
}
