package testphone

import (
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

// depth is how much sound the ear keeps before it is heard: what comes later than that is lost.
const depth = 400 * time.Millisecond

// ear puts what arrives where its timestamp says, so that a recording has the gaps that the network made and
// no others. The line reader pushes, and closes it when it reads no more; run lets it out in real time.
type ear struct {
	phone   *phone
	decoder codec.Decoder
	packets chan packet
}

// packet is one frame as it arrived.
type packet struct {
	arrival   time.Duration
	timestamp uint32
	pcm       [6 * frame]int16
	samples   int
}

func newEar(p *phone, kind codec.Kind) (*ear, error) {
	decoder, err := g711.NewDecoder(kind)
	if err != nil {
		return nil, err
	}
	return &ear{phone: p, decoder: decoder, packets: make(chan packet, 64)}, nil
}

// PushFrame decodes a packet and hands it over (codec.Reader). One that finds no place is lost.
func (e *ear) PushFrame(f *codec.Frame) {
	p := packet{arrival: f.Arrival, timestamp: f.Timestamp}
	if f.Kind == codec.PCMU || f.Kind == codec.PCMA {
		n, err := e.decoder.Decode(p.pcm[:], f.Payload)
		if err != nil {
			return
		}
		p.samples = n
	}
	select {
	case e.packets <- p:
	default:
	}
}

// close says that nothing comes any more. It is called where PushFrame was.
func (e *ear) close() { close(e.packets) }

// run lets the sound out, a frame every 20 ms and depth after the first packet, until close. What has come by
// then is let out at once.
func (e *ear) run() error {
	var out playout
	var last time.Duration
	tick := time.NewTicker(ptime)
	defer tick.Stop()
	for {
		select {
		case p, open := <-e.packets:
			if !open {
				return out.flush(e.phone.Heard)
			}
			if last > 0 {
				e.phone.update(func(r *Report) { r.LongestGap = max(r.LongestGap, p.arrival-last) })
			}
			last = p.arrival
			out.put(p.timestamp, p.pcm[:p.samples], time.Now())
			e.phone.update(func(r *Report) { r.Level = level(p.pcm[:p.samples]) })
		case now := <-tick.C:
			if err := out.take(now, e.phone.Heard); err != nil {
				return err
			}
		}
	}
}

// playout is one second of sound by timestamp, let out in real time. Its size is a power of two, so that
// timestamps may wrap.
type playout struct {
	ring    [1 << 13]int16
	started bool
	next    uint32    // the timestamp that is let out next
	end     uint32    // the timestamp after the latest sound
	start   time.Time // when the first frame was due
	frames  int       // let out since
}

// put stores sound, unless its time is over. Sound from far ahead is another source's: it starts anew.
func (o *playout) put(timestamp uint32, pcm []int16, now time.Time) {
	ahead := int(int32(timestamp - o.next))
	if !o.started || ahead > len(o.ring)-len(pcm) || ahead < -len(o.ring) {
		*o = playout{started: true, start: now, next: timestamp - uint32(depth*g711.Rate/time.Second), end: timestamp}
	} else if ahead < 0 {
		return
	}
	for i, sample := range pcm {
		o.ring[(timestamp+uint32(i))%uint32(len(o.ring))] = sample
	}
	if end := timestamp + uint32(len(pcm)); int32(end-o.end) > 0 {
		o.end = end
	}
}

// take gives all frames that are due by now to heard, which may be nil.
func (o *playout) take(now time.Time, heard func([]int16) error) error {
	if !o.started {
		return nil
	}
	for due := int(now.Sub(o.start) / ptime); o.frames < due; o.frames++ {
		if err := o.let(heard); err != nil {
			return err
		}
	}
	return nil
}

// flush gives heard all that is left.
func (o *playout) flush(heard func([]int16) error) error {
	for int32(o.end-o.next) > 0 {
		if err := o.let(heard); err != nil {
			return err
		}
	}
	return nil
}

// let gives heard the next frame.
func (o *playout) let(heard func([]int16) error) error {
	var pcm [frame]int16
	for i := range pcm {
		at := &o.ring[(o.next+uint32(i))%uint32(len(o.ring))]
		pcm[i], *at = *at, 0
	}
	o.next += frame
	if heard == nil {
		return nil
	}
	return heard(pcm[:])
}
