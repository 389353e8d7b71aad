package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"passerelle/cmd/internal/load"
)

// show tells how a run goes: a block that rewrites itself on a terminal, a line every five seconds elsewhere.
type show struct {
	w        io.Writer
	terminal bool
	drawn    int // lines of the block
	said     time.Duration
	phase    string
}

// sayEvery is the time between two lines where there is no terminal.
const sayEvery = 5 * time.Second

func newShow(w io.Writer, terminal bool) *show { return &show{w: w, terminal: terminal} }

func (s *show) progress(p load.Progress) {
	if s.terminal {
		s.clear()
		block := live(p)
		s.drawn = strings.Count(block, "\n")
		fmt.Fprint(s.w, block)
		return
	}
	if p.Phase != s.phase || p.Elapsed-s.said >= sayEvery {
		s.phase, s.said = p.Phase, p.Elapsed
		fmt.Fprintf(s.w, "%5.0f s  %-10s  up %d  failed %d  talking %d  set-up p99 %.0f ms  missing %d  gaps %d%s\n",
			p.Elapsed.Seconds(), p.Phase, p.Up, p.Failed, p.Talking, p.SetUp99, p.Missing, p.Gaps, gatewayLoad(p))
	}
}

// clear takes the block away, so that the next stands in its place.
func (s *show) clear() {
	if s.drawn > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *show) done() { s.clear() }

// live is the block.
func live(p load.Progress) string {
	var b strings.Builder
	left := ""
	if p.Left > 0 {
		left = fmt.Sprintf(", %.0f s left", p.Left.Seconds())
	}
	fmt.Fprintf(&b, "  \x1b[1m%s\x1b[0m %s%s\n", p.Phase, bar(p.Elapsed, p.Elapsed+p.Left), left)
	fmt.Fprintf(&b, "  calls    %5d up     %5d talking   %5d answered   %s\n", p.Up, p.Talking, p.Answered, bad(p.Failed, "failed"))
	fmt.Fprintf(&b, "  set-up   %5.1f ms p50 %7.1f ms p99\n", p.SetUp50, p.SetUp99)
	fmt.Fprintf(&b, "  packets  %d sent, %d received, %s, %s\n", p.Sent, p.Received, bad(p.Missing, "missing"), bad(p.Gaps, "gaps above 60 ms"))
	fmt.Fprintf(&b, "  load     generator %.2f cores, at most %.0f ms late%s\n", p.Generator, float64(p.Late.Milliseconds()), gatewayLoad(p))
	return b.String()
}

// bar is how much of a phase is over.
func bar(done, all time.Duration) string {
	const width = 24
	full := 0
	if all > 0 {
		full = min(int(width*done/all), width)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// bad is a count that should be 0, in red where it is not.
func bad(n int, what string) string {
	if n == 0 {
		return "0 " + what
	}
	return fmt.Sprintf("\x1b[31m%d %s\x1b[0m", n, what)
}

func gatewayLoad(p load.Progress) string {
	if p.Resident == 0 {
		return ""
	}
	return fmt.Sprintf("; gateway %.2f cores, %.0f MB", p.Gateway, float64(p.Resident)/(1<<20))
}

// commonest names why calls failed, the commonest reason first.
func commonest(reasons map[string]int) string {
	names := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return reasons[b] - reasons[a] })
	const most = 3
	var said []string
	for _, name := range names[:min(most, len(names))] {
		said = append(said, fmt.Sprintf("%s (%d)", name, reasons[name]))
	}
	if len(said) == 0 {
		return "none was answered"
	}
	return strings.Join(said, ", ")
}

// summary is the end of a run, for whoever looks at a terminal.
func summary(w io.Writer, r *load.Result) {
	p := r.Packets
	fmt.Fprintf(w, "%s: %d calls in %d rooms, %s, %.0f%% talking, %.0f s\n", r.Target, r.Answered, r.Rooms, r.Codec, 100*r.Talkers, r.Seconds)
	fmt.Fprintf(w, "  calls    %d of %d answered, %d failed, %d clean; %.0f answered a second\n", r.Answered, r.Placed, r.Failed, r.Clean, r.PerSecond)
	if r.SetUp.Most > 0 {
		fmt.Fprintf(w, "  set-up   ringing p50 %.1f, p99 %.1f ms; answered p50 %.1f, p99 %.1f, at most %.1f ms\n", r.Ringing.P50, r.Ringing.P99, r.SetUp.P50, r.SetUp.P99, r.SetUp.Most)
	}
	fmt.Fprintf(w, "  packets  %d sent, %d lost on the way there; %d received, %d missing, %d gaps above 60 ms (longest %.0f ms)\n",
		p.Sent, p.Reported, p.Received, p.Missing, p.Gaps, p.Longest)
	fmt.Fprintf(w, "  delay    p50 %.1f, p99 %.1f ms through the gateway (%d of %d chirps heard); jitter p50 %.1f ms, buffer %.0f ms\n",
		r.Delay.P50, r.Delay.P99, r.Delay.N, r.Chirps, r.Jitter.P50, r.Buffer.P50)
	fmt.Fprintf(w, "  quality  R %.1f (worst call %.1f), MOS %.2f (worst %.2f)\n", r.R.P50, r.R.Most, r.MOS.P50, r.MOS.Most)
	for _, l := range r.Listeners {
		whole := fmt.Sprintf("likeness %.3f, segmental SNR %.1f dB, spectrum off by %.1f dB", l.Correlation, l.SNR, l.Spectrum)
		if !l.Alone() {
			whole = fmt.Sprintf("%.1f talk at once", l.Together)
		}
		fmt.Fprintf(w, "  call %-4d delay %.1f ms, level %.0f dBov, %s, missing %.0f ms, R %.1f\n", l.N, l.Delay, l.Level, whole, l.Missing, l.R)
	}
	if g := r.Gateway; g.Resident > 0 {
		fmt.Fprintf(w, "  gateway  %.2f cores, %.4f a call; %.0f MB, %.0f kB a call; generator %.2f cores, at most %.0f ms late\n",
			g.Cores, g.PerCall, g.Resident, g.PerCallKB, r.Generator.Cores, r.Generator.Late)
	}
	for _, fault := range r.Faults {
		fmt.Fprintf(w, "  not clean: %s\n", fault)
	}
}
