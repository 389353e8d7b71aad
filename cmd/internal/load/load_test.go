package load

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"passerelle/cmd/internal/chorus"
	"passerelle/codec"
	"passerelle/codec/score"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plan() Plan {
	return Plan{
		Target: "sip:load-{room}@127.0.0.1:5060", Calls: 4, Rooms: 2, Rate: 100, For: time.Second, Kind: codec.PCMA,
		Speech: score.Chirp(), Noise: -65, Talkers: 0.5, Listen: 2, Sources: 1,
	}
}

// TestCheck refuses what is not bounded, and what is not ours.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Plan)
		says   string // "" is a good plan
	}{
		{"as it is", func(*Plan) {}, ""},
		{"over TCP", func(p *Plan) { p.Target += ";transport=tcp" }, ""},
		{"another loopback address", func(p *Plan) { p.Target = "sip:a@127.9.9.9" }, ""},
		{"a stranger", func(p *Plan) { p.Target = "sip:a@192.0.2.1:5060" }, "loopback"},
		{"a name that may be anybody", func(p *Plan) { p.Target = "sip:a@localhost" }, "loopback"},
		{"a room that looks like ours", func(p *Plan) { p.Target = "sip:127.0.0.1@192.0.2.1" }, "loopback"},
		{"a stranger without SIP", func(p *Plan) { p.Direct = netip.MustParseAddrPort("192.0.2.1:4000") }, "loopback"},
		{"a stranger that is said to be ours", func(p *Plan) { p.Target, p.Anywhere = "sip:a@192.0.2.1", true }, ""},
		{"no SIP address", func(p *Plan) { p.Target = "tel:1" }, "not a SIP address"},
		{"IPv6", func(p *Plan) { p.Target = "sip:a@[::1]:5060" }, "IPv4"},
		{"too many", func(p *Plan) { p.Calls = MostCalls + 1 }, "--calls"},
		{"too fast", func(p *Plan) { p.Rate = MostRate + 1 }, "--rate"},
		{"for ever", func(p *Plan) { p.For = MostTime + 1 }, "--for"},
		{"more rooms than calls", func(p *Plan) { p.Rooms = 5 }, "--rooms"},
		{"more than everybody", func(p *Plan) { p.Talkers = 1.1 }, "--talkers"},
		{"more than everything", func(p *Plan) { p.Network.Loss = 1.5 }, "--loss"},
		{"too many sources", func(p *Plan) { p.Sources = 16 }, "--sources"},
	} {
		p := plan()
		c.change(&p)
		err := p.Check()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	p := plan()
	if got := p.uri(2) + " " + p.uri(3); got != "sip:load-1@127.0.0.1:5060 sip:load-2@127.0.0.1:5060" {
		t.Error(got)
	}
	if p.listens(0) || p.listens(1) || !p.listens(2) || !p.listens(3) {
		t.Error("the first of a room is listened for, the others listen")
	}
}

// TestRunDirect has four calls without SIP at an echo: all is counted, and nothing is wrong with it.
func TestRunDirect(t *testing.T) {
	p := plan()
	first := echoes(t, p.Calls)
	p.Direct = first
	var phases []string
	result, err := Run(t.Context(), p, func(p Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Answered != 4 || result.Failed != 0 || result.Packets.Sent < 4*25 || result.Packets.Received == 0 || result.Packets.Missing != 0 {
		t.Errorf("%+v", result)
	}
	if len(result.Each) != 4 || result.R.P50 < 80 || len(result.Listeners) != 2 {
		t.Errorf("%d calls, %d listeners, R %+v", len(result.Each), len(result.Listeners), result.R)
	}
	if got := strings.Join(phases, ", "); !strings.Contains(got, "settling, measuring") {
		t.Errorf("the phases were %s", got)
	}
}

// TestRunEnds when it is told to, with what there is.
func TestRunEnds(t *testing.T) {
	p := plan()
	p.Direct, p.For = echoes(t, p.Calls), time.Hour
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	result, err := Run(ctx, p, func(p Progress) {
		if p.Phase == "measuring" {
			stop()
		}
	})
	if err != nil || result.Answered != 4 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestRunHolds replaces calls that end, as long as there is room for more.
func TestRunHolds(t *testing.T) {
	p := plan()
	p.Direct, p.Hold, p.Rate, p.For, p.Calls = echoes(t, 40), 100*time.Millisecond, 40, time.Second, 20
	result, err := Run(t.Context(), p, nil)
	if err != nil || result.Placed != 40-result.HeldBack || result.Answered != result.Placed || result.Failed > 0 {
		t.Errorf("%+v, %v; want as many answered as placed", result, err)
	}
	for _, c := range result.Each {
		if c.Sent == 0 {
			t.Errorf("call %d has no book", c.N)
		}
	}
}

// TestRunFails counts calls that nobody answers.
func TestRunFails(t *testing.T) {
	p := plan()
	p.Calls, p.Rooms, p.Listen = 1, 1, 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Target = "sip:a@" + l.Addr().String() + ";transport=tcp"
	l.Close() // refused at once
	result, err := Run(t.Context(), p, nil)
	if err != nil || result.Failed != 1 || result.Answered != 0 || len(result.Faults) == 0 || !strings.Contains(result.Faults[0], "1 of 1 calls failed") {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := Run(t.Context(), Plan{}, nil); err == nil || errors.Is(err, ErrNotLoopback) {
		t.Errorf("an empty plan: %v", err)
	}
}

// TestJudge finds each fault by itself.
func TestJudge(t *testing.T) {
	good := Result{Placed: 2, Answered: 2, Clean: 2, Packets: Packets{Received: 100}}
	if faults := good.judge(); len(faults) > 0 {
		t.Errorf("a good run has faults: %v", faults)
	}
	for says, spoil := range map[string]func(*Result){
		"calls failed": func(r *Result) { r.Failed = 1 }, "not placed": func(r *Result) { r.HeldBack = 1 }, "not clean": func(r *Result) { r.Clean = 1 },
		"gaps above": func(r *Result) { r.Packets.Gaps = 1 }, "were lost": func(r *Result) { r.Packets.Missing = 1 },
		"missed": func(r *Result) { r.Packets.Reported = 1 }, "skipped": func(r *Result) { r.Packets.Jumps = 1 }, "nothing was heard": func(r *Result) { r.Packets.Received = 0 },
		"dropped": func(r *Result) { r.Gateway.Dropped = 1 }, "way out": func(r *Result) { r.Gateway.Refused = 1 },
		"our own system": func(r *Result) { r.Generator.Refused = 1 }, "behind its clock": func(r *Result) { r.Generator.Late = 100 },
	} {
		r := good
		spoil(&r)
		if faults := r.judge(); len(faults) != 1 || !strings.Contains(faults[0], says) {
			t.Errorf("%v, want one fault: %s", faults, says)
		}
	}
}

func TestSpread(t *testing.T) {
	var all []float64
	for i := range 100 {
		all = append(all, float64(i))
	}
	if got, want := spread(all), (Spread{100, 50, 90, 99, 99}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := worst([]float64{-93, -80, -50}); got.P50 != 80 || got.Most != 50 {
		t.Errorf("%+v; want the worst as the most", got)
	}
	if got := spread(nil); got != (Spread{}) {
		t.Errorf("%+v", got)
	}
	if !(chorus.Network{}).Ideal() {
		t.Error("nothing happens, and that is not ideal")
	}
}

// echoes opens n even ports in a row that send back what they get.
func echoes(t *testing.T, n int) netip.AddrPort {
	t.Helper()
	for first := uint16(31000); first < 32600; first += 100 {
		if conns := echoesAt(first, n); conns != nil {
			t.Cleanup(func() {
				for _, c := range conns {
					c.Close()
				}
			})
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), first)
		}
	}
	t.Fatal("no ports are free")
	return netip.AddrPort{}
}

func echoesAt(first uint16, n int) (conns []*net.UDPConn) {
	for i := range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(first) + 2*i})
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil
		}
		conns = append(conns, c)
		go func() { // ends when its socket is closed
			b := make([]byte, 2048)
			for {
				n, from, err := c.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				c.WriteToUDPAddrPort(b[:n], from)
			}
		}()
	}
	return conns
}
