package load

import (
	"runtime"
	"slices"
	"strings"
	"time"

	"passerelle/cmd/internal/chorus"
	"passerelle/codec/score"
)

// Result is what a run has found. It is what --json writes.
type Result struct {
	Target    string         `json:"target"`
	Began     string         `json:"began"` // RFC 3339
	Calls     int            `json:"calls"`
	Rooms     int            `json:"rooms"`
	Rate      float64        `json:"rate"`
	Seconds   float64        `json:"seconds"` // that were measured
	Hold      float64        `json:"hold_s,omitempty"`
	Codec     string         `json:"codec"`
	Talkers   float64        `json:"talkers"`
	Network   Weather        `json:"network"`
	Cores     int            `json:"cores"`
	Placed    int            `json:"placed"`
	Answered  int            `json:"answered"`
	Failed    int            `json:"failed"`
	HeldBack  int            `json:"held_back"` // not placed, since as many as may be were up
	Clean     int            `json:"clean"`     // calls without a gap, a loss or a skipped tick
	Reasons   map[string]int `json:"reasons,omitempty"`
	PerSecond float64        `json:"answered_a_second"` // while calls were placed
	Ringing   Spread         `json:"ringing_ms"`
	SetUp     Spread         `json:"set_up_ms"`

	Packets Packets `json:"packets"`
	Delay   Spread  `json:"delay_ms"` // of chirps, listener's buffer and packetization apart
	Chirps  int     `json:"chirps"`   // that could be heard
	Buffer  Spread  `json:"buffer_ms"`
	Jitter  Spread  `json:"jitter_ms"`
	R       Spread  `json:"r"` // turned round: Most is the worst
	MOS     Spread  `json:"mos"`

	Listeners []Listener `json:"listeners"`
	Gateway   Gateway    `json:"gateway"`
	Generator Generator  `json:"generator"`
	Timeline  []Sample   `json:"timeline"`
	Each      []*Call    `json:"each"`
	Faults    []string   `json:"faults"`
}

// Weather is the network that lay between phones and gateway.
type Weather struct {
	LossPercent float64 `json:"loss_percent"`
	Burst       float64 `json:"burst,omitempty"`
	Delay       float64 `json:"delay_ms"`
	Jitter      float64 `json:"jitter_ms"`
}

// Packets sums what all calls have counted.
type Packets struct {
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Missing  int     `json:"missing"`
	Late     int     `json:"out_of_order"`
	Twice    int     `json:"duplicate"`
	Jumps    int     `json:"timestamp_jumps"`
	Gaps     int     `json:"gaps_above_60_ms"`
	Longest  float64 `json:"longest_gap_ms"`
	Reported int     `json:"lost_by_gateway"`
}

// Spread is how figures are spread.
type Spread struct {
	N    int     `json:"n"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Most float64 `json:"most"`
}

// spread of sorted figures.
func spread(sorted []float64) Spread {
	if len(sorted) == 0 {
		return Spread{}
	}
	at := func(p int) float64 { return sorted[min(len(sorted)*p/100, len(sorted)-1)] }
	return Spread{len(sorted), at(50), at(90), at(99), sorted[len(sorted)-1]}
}

// Listener is a call that was listened to.
type Listener struct {
	N           int     `json:"call"`
	Chirps      int     `json:"chirps"`
	Heard       int     `json:"chirps_heard"`
	Delay       float64 `json:"delay_p50_ms"`
	Buffer      float64 `json:"buffer_ms"`
	MouthToEar  float64 `json:"mouth_to_ear_ms"`
	Loss        float64 `json:"loss_percent"` // both ways, and what came too late for the ear
	Level       float64 `json:"level_dbov"`
	Together    float64 `json:"talk_at_once"` // how many of the others, whenever one does
	Correlation float64 `json:"correlation"`  // of windows of 300 ms, the median
	SNR         float64 `json:"segmental_snr_db"`
	Spectrum    float64 `json:"log_spectral_distance_db"`
	Missing     float64 `json:"missing_speech_ms"` // of what the others said, gaps of 20 ms and more
	R           float64 `json:"r"`
	MOS         float64 `json:"mos"`
}

// Alone says that the others talked one at a time, nearly: what several say at once arrives with a delay of each one's
// own, so that their sum is another wave.
func (l Listener) Alone() bool { return l.Together < 1.25 }

// Gateway is what the gateway's process took.
type Gateway struct {
	Cores      float64 `json:"cores"` // while it was measured
	PerCall    float64 `json:"cores_per_call"`
	Idle       float64 `json:"resident_mb_idle"`
	Resident   float64 `json:"resident_mb"`
	PerCallKB  float64 `json:"resident_kb_per_call"`
	Goroutines int     `json:"goroutines"`
	Files      int     `json:"files"`
	Received   int     `json:"received"`
	Lost       int     `json:"lost"`
	Dropped    int     `json:"dropped"`
	Refused    int     `json:"refused"`
	Ring       int     `json:"too_late_for_neighbours"`
	Skipped    int     `json:"ticks_skipped"`
}

// Generator is what the load itself took.
type Generator struct {
	Cores   float64 `json:"cores"`
	Late    float64 `json:"late_ms"` // the most that it was behind its own clock
	Stray   int     `json:"stray_packets"`
	Refused int     `json:"packets_refused_by_our_system"`
}

// Sample is one second of a run.
type Sample struct {
	At         float64 `json:"s"`
	Up         int     `json:"up"`
	Talking    int     `json:"talking"`
	Answered   int     `json:"answered"`
	Failed     int     `json:"failed"`
	Sent       uint64  `json:"sent"` // so far
	Received   uint64  `json:"received"`
	Gaps       int     `json:"gaps"` // of the calls that are up, so far
	Gateway    float64 `json:"gateway_cores"`
	Generator  float64 `json:"generator_cores"`
	Resident   float64 `json:"gateway_resident_mb"`
	Heap       float64 `json:"gateway_heap_mb"`
	Goroutines int     `json:"gateway_goroutines"`
	Files      int     `json:"gateway_files"`
}

// sample keeps the second between two looks.
func (r *run) sample(last, now Look) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.progress
	p.Gateway, p.Generator, p.Resident = cores(last.CPU, now.CPU, last, now), cores(last.Own, now.Own, last, now), now.Resident
	r.timeline = append(r.timeline, Sample{
		At: time.Since(r.began).Seconds(), Up: p.Up, Talking: p.Talking, Answered: p.Answered, Failed: p.Failed,
		Sent: p.Sent, Received: p.Received, Gaps: p.Gaps, Gateway: p.Gateway, Generator: p.Generator,
		Resident: mega(now.Resident), Heap: mega(now.Heap), Goroutines: now.Goroutines, Files: now.Files,
	})
}

func cores(a, b time.Duration, from, to Look) float64 {
	if to.At <= from.At {
		return 0
	}
	return (b - a).Seconds() / (to.At - from.At).Seconds()
}

func mega(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// sumUp makes the result of all but the listening.
func (r *run) sumUp(before, from, to Look, count chorus.Count) *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	target := r.Target
	if r.Direct.IsValid() {
		target = "udp:" + r.Direct.String()
	}
	result := &Result{
		Target: target, Began: r.began.Format(time.RFC3339), Calls: r.Calls, Rooms: r.Rooms, Rate: r.Rate,
		Seconds: (to.At - from.At).Seconds(), Hold: r.Hold.Seconds(), Codec: r.Kind.String(), Talkers: r.Talkers, Cores: runtime.NumCPU(),
		Network: Weather{100 * r.Network.Loss, r.Network.Burst, millis(r.Network.Delay), millis(r.Network.Jitter)},
		Placed:  r.progress.Placed, HeldBack: r.progress.HeldBack,
		Reasons: map[string]int{}, Timeline: r.timeline, Each: r.calls, SetUp: r.setUps(),
		Generator: Generator{Cores: cores(from.Own, to.Own, from, to), Late: millis(count.Late), Stray: count.Stray, Refused: count.Refused},
	}
	slices.SortFunc(r.calls, func(a, b *Call) int { return a.N - b.N })
	var ringing, jitter []float64
	for _, c := range r.calls {
		if c.Error != "" {
			result.Failed++
			result.Reasons[reason(c.Error)]++
		}
		if !c.Answered {
			continue
		}
		result.Answered++
		if c.Ringing > 0 {
			ringing = append(ringing, c.Ringing)
		}
		c.close()
		jitter = append(jitter, c.Jitter)
		if c.clean && c.Error == "" {
			result.Clean++
		}
		result.Packets.add(c)
	}
	slices.Sort(ringing)
	slices.Sort(jitter)
	result.Ringing, result.Jitter = spread(ringing), spread(jitter)
	result.PerSecond = float64(result.Answered) / max(r.peakPlace.Seconds(), 1/r.Rate)
	result.Gateway = gatewayOf(before, from, to, r.upOnAverage(from, to))
	return result
}

// upOnAverage is how many calls were up between two looks. The lock is held.
func (r *run) upOnAverage(from, to Look) float64 {
	sum, n := 0.0, 0.0
	for _, s := range r.timeline {
		if at := s.At; at >= from.At.Seconds() && at <= to.At.Seconds() {
			sum, n = sum+float64(s.Up), n+1
		}
	}
	return max(1, sum/max(1, n))
}

// gatewayOf is what a process did between two looks, above what it was before.
func gatewayOf(before, from, to Look, calls float64) Gateway {
	less := func(a, b uint64) int { return int(int64(b) - int64(a)) }
	was, is := from.Gateway.Media, to.Gateway.Media
	g := Gateway{
		Cores: cores(from.CPU, to.CPU, from, to), Idle: mega(before.Resident), Resident: mega(to.Resident),
		Goroutines: to.Goroutines, Files: to.Files, Received: less(was.Received, is.Received), Lost: less(was.Lost, is.Lost),
		Dropped: less(was.Dropped, is.Dropped), Refused: less(was.Failed, is.Failed), Ring: less(was.Ring, is.Ring),
		Skipped: less(from.Engine.Skipped, to.Engine.Skipped),
	}
	g.PerCall = g.Cores / calls
	if before.Resident > 0 {
		g.PerCallKB = 1024 * (g.Resident - g.Idle) / calls
	}
	return g
}

// close puts a call's book into figures.
func (c *Call) close() {
	b := &c.book
	c.Sent, c.Received, c.Missing, c.Late, c.Twice = b.Sent, b.Received, b.Missing, b.Late, b.Twice
	c.Jumps, c.Gaps, c.Longest, c.Reported, c.Jitter = b.Jumps, b.Gaps, millis(b.Longest), b.Reported, millis(b.Jitter)
	c.clean = b.Clean()
}

func (p *Packets) add(c *Call) {
	p.Sent += c.Sent
	p.Received += c.Received
	p.Missing += c.Missing
	p.Late += c.Late
	p.Twice += c.Twice
	p.Jumps += c.Jumps
	p.Gaps += c.Gaps
	p.Longest = max(p.Longest, c.Longest)
	p.Reported += c.Reported
}

// reason is an error without what is each call's own.
func reason(text string) string {
	if _, rest, ok := strings.Cut(text, " s: "); ok && strings.HasPrefix(text, "after ") {
		return "ended early: " + rest
	}
	return text
}

// listen judges the recordings, and every call by what the listeners know of the delay.
func (r *run) listen(result *Result) error {
	if r.Network.Ideal() {
		result.Network = Weather{}
	}
	late := 0.0 // packets that the gateway got and could not give to the neighbours in time
	if g := result.Gateway; g.Received > 0 {
		late = float64(g.Ring) / float64(g.Received)
	}
	var delays []float64
	for _, e := range r.evidence {
		v, err := e.Judge(late)
		if err != nil {
			return err
		}
		l := Listener{
			N: e.call.N, Chirps: v.Chirps, Heard: len(v.Delays), Buffer: millis(v.Depth), MouthToEar: millis(v.Path.Delay),
			Loss: 100 * v.Path.Loss, Level: v.Level, Together: v.Together, Correlation: v.Match.Median, SNR: v.Match.SNRDB, Spectrum: v.Match.SpectrumDB,
			R: v.Path.R(), MOS: v.Path.MOS(),
		}
		for _, g := range v.Match.Gaps {
			l.Missing += millis(g.Length())
		}
		own := make([]float64, 0, len(v.Delays))
		for _, d := range v.Delays {
			own = append(own, millis(d))
		}
		slices.Sort(own)
		l.Delay = spread(own).P50
		delays = append(delays, own...)
		result.Chirps += v.Chirps
		result.Listeners = append(result.Listeners, l)
	}
	slices.Sort(delays)
	result.Delay = spread(delays)
	r.rate(result, late)
	result.Faults = result.judge()
	return nil
}

// rate gives every call its R, with the delay that the listeners have heard.
func (r *run) rate(result *Result, late float64) {
	var rs, ms, buffers []float64
	delay := time.Duration(result.Delay.P50 * float64(time.Millisecond))
	before := 1 - (1-float64(result.Packets.Reported)/float64(max(1, result.Packets.Sent)))*(1-late)
	for _, c := range r.calls {
		if c.Received == 0 {
			continue
		}
		p := c.book.Playout(delay, before, score.EquipmentOf(r.Kind, true))
		c.Buffer, c.R, c.MOS = millis(p.Depth), p.Path.R(), p.Path.MOS()
		rs, ms, buffers = append(rs, -c.R), append(ms, -c.MOS), append(buffers, c.Buffer)
	}
	slices.Sort(rs)
	slices.Sort(ms)
	slices.Sort(buffers)
	result.R, result.MOS, result.Buffer = worst(rs), worst(ms), spread(buffers)
}

// worst is the spread of negated figures, of which the least counts as the most.
func worst(negated []float64) Spread {
	s := spread(negated)
	if s.N == 0 {
		return s
	}
	return Spread{s.N, -s.P50, -s.P90, -s.P99, -s.Most}
}
