package load

import "fmt"

// lateAllowed is how far behind its clock the load generator may be: beyond that the gaps may be its own.
const lateAllowed = 40 // ms

// judge says in words what is not clean; nothing is what one wants.
func (r *Result) judge() (faults []string) {
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	fault(r.Failed > 0, "%d of %d calls failed", r.Failed, r.Placed)
	fault(r.HeldBack > 0, "%d calls were not placed: %d were up", r.HeldBack, r.Calls)
	fault(r.Clean < r.Answered, "%d of %d calls were not clean", r.Answered-r.Clean, r.Answered)
	p := r.Packets
	fault(p.Gaps > 0, "%d gaps above 60 ms, the longest %.0f ms", p.Gaps, p.Longest)
	fault(p.Missing > 0, "%d packets to the phones were lost", p.Missing)
	fault(p.Reported > 0, "the gateway missed %d packets of the phones", p.Reported)
	fault(p.Jumps > 0, "the gateway skipped time %d times", p.Jumps)
	fault(r.Answered > 0 && p.Received == 0, "nothing was heard")
	g := r.Gateway
	fault(g.Dropped > 0, "the gateway dropped %d packets that it had", g.Dropped)
	fault(g.Refused > 0, "%d packets were refused on their way out of the gateway", g.Refused)
	fault(r.Generator.Refused > 0, "our own system refused %d packets: this run measures the generator", r.Generator.Refused)
	fault(r.Generator.Late > lateAllowed, "the load generator was %.0f ms behind its clock: this run may measure the generator", r.Generator.Late)
	return faults
}
