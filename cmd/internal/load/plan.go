// Package load calls a gateway many times and keeps book of what it does: how fast it answers, what of its sound
// arrives and how it is heard, and what its process takes meanwhile. It knows no terminal and no file.
//
// The way of a run: Run (run.go) checks the plan (plan.go), places the calls (call.go), whose sound is a chorus'
// (cmd/internal/chorus), looks at the gateway each second (watch.go), and sums up (result.go) what Judge then finds
// fault with (judge.go).
package load

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"passerelle/cmd/internal/chorus"
	"passerelle/codec"
)

// What a run is bounded by.
const (
	MostCalls   = 2000
	MostRate    = 2000.0 // a second
	MostTime    = time.Hour
	MostSources = 15
)

// Plan is what to do.
type Plan struct {
	// Target is who is called: "sip:load-{room}@127.0.0.1:5060;transport=tcp". {room} is the number of the room,
	// from 1, and {call} that of the call.
	Target string
	// Direct, where it is valid, has the i-th call talk to the i-th even port from here on, without SIP.
	Direct netip.AddrPort

	Calls int           // at once, at most
	Rooms int           // that they are spread over in turn
	Rate  float64       // of new calls, a second
	For   time.Duration // how long it is measured once all calls are up; with Hold, how long calls are placed
	Hold  time.Duration // how long a call lasts; 0 is to the end. Those that end are replaced.

	Kind    codec.Kind
	Speech  []int16 // at 8000 Hz, said again and again
	Noise   float64 // of a phone that nobody speaks into, dBov; -127 is none
	Talkers float64 // how many of a room's phones talk at any time, 0 to 1
	Listen  int     // how many calls are listened to
	Network chorus.Network
	Seed    uint64

	Sources int // loopback addresses to call from: 127.0.0.1, 127.0.0.2...
	// Anywhere allows a target that is not a loopback address.
	Anywhere bool

	Debug string // URL of the gateway's counters (serve --debug), or ""
	PID   int    // of the gateway's process, or 0
	Log   *slog.Logger
}

// Settle is the time between the last answer and the first packet that counts.
const Settle = 2 * time.Second

// total is how many calls there will be, roughly.
func (p *Plan) total() int {
	if p.Hold == 0 {
		return p.Calls
	}
	return max(1, int(p.Rate*p.For.Seconds()))
}

func (p *Plan) room(n int) string { return strconv.Itoa(n%p.Rooms + 1) }

func (p *Plan) uri(n int) string {
	return strings.NewReplacer("{room}", p.room(n), "{call}", strconv.Itoa(n+1)).Replace(p.Target)
}

// listens says whether the n-th call is listened to; not the first of a room, which is what listeners listen for.
func (p *Plan) listens(n int) bool {
	rest := p.total() - p.Rooms
	if n < p.Rooms || rest < 1 || p.Listen < 1 {
		return false
	}
	every := max(1, rest/p.Listen)
	return (n-p.Rooms)%every == 0 && (n-p.Rooms)/every < p.Listen
}

// Check says what is wrong with a plan.
func (p *Plan) Check() error {
	switch {
	case p.Calls < 1 || p.Calls > MostCalls:
		return fmt.Errorf("--calls %d: 1 to %d are possible", p.Calls, MostCalls)
	case p.Rooms < 1 || p.Rooms > p.Calls:
		return fmt.Errorf("--rooms %d: 1 to as many as there are calls (%d) are possible", p.Rooms, p.Calls)
	case p.Rate <= 0 || p.Rate > MostRate:
		return fmt.Errorf("--rate %v: up to %v calls a second are possible", p.Rate, MostRate)
	case p.For <= 0 || p.For > MostTime:
		return fmt.Errorf("--for %v: up to %v are possible", p.For, MostTime)
	case p.Hold < 0:
		return fmt.Errorf("--hold %v: a call cannot end before it begins", p.Hold)
	case p.Talkers < 0 || p.Talkers > 1:
		return fmt.Errorf("--talkers %v: the part of the phones that talk is 0 to 1", p.Talkers)
	case p.Listen < 0:
		return fmt.Errorf("--listen %d: 0 or more calls can be listened to", p.Listen)
	case p.Network.Loss < 0 || p.Network.Loss > 1:
		return fmt.Errorf("--loss: the part of the packets that are lost is 0 to 100 %%")
	case p.Network.Delay < 0 || p.Network.Jitter < 0 || p.Network.Delay+p.Network.Jitter > 5*time.Second:
		return fmt.Errorf("--delay and --jitter: 0 to 5 s together are possible")
	case p.Sources < 1 || p.Sources > MostSources:
		return fmt.Errorf("--sources %d: 1 to %d loopback addresses are possible", p.Sources, MostSources)
	case p.Direct.IsValid():
		return p.checkHost(p.Direct.String())
	}
	host, ok := strings.CutPrefix(p.uri(0), "sip:")
	if !ok {
		return fmt.Errorf("--target %q is not a SIP address: sip:load-{room}@127.0.0.1:5060 is one", p.Target)
	}
	host, _, _ = strings.Cut(host[strings.LastIndexByte(host, '@')+1:], ";")
	return p.checkHost(host)
}

// ErrNotLoopback refuses to load what is not ours.
var ErrNotLoopback = errors.New("not a loopback address: a load is for a gateway of your own; --i-may-load-this-target says that this one is yours")

func (p *Plan) checkHost(host string) error {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if !p.Anywhere && (err != nil || !addr.IsLoopback()) {
		return fmt.Errorf("%s: %w", host, ErrNotLoopback)
	}
	if err == nil && !addr.Is4() {
		return fmt.Errorf("%s: phones of this load speak IPv4 alone", host)
	}
	return nil
}
