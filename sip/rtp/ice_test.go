package rtp

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/stdnet"

	"passerelle/codec"
)

func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }

var ours = ICE{Ufrag: "ours", Password: "a password of 22 chars", RemoteUfrag: "theirs"}

// lite is an inbound that has agreed on ICE.
func lite(t testing.TB) *inbound {
	t.Helper()
	agreed := ours
	p := shaking(netip.MustParseAddrPort("192.0.2.1:9"), newIdentity(t), newIdentity(t), false)
	p.DTLS.ICE = &agreed
	p, err := p.checked(netip.MustParseAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	in := &inbound{}
	in.agree(p, 1, 0)
	return in
}

type attribute struct {
	kind  stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error { m.Add(a.kind, a.value); return nil }

// aCheck is a check of the peer's, with more attributes before its password.
func aCheck(t testing.TB, password string, more ...stun.Setter) []byte {
	t.Helper()
	all := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs")}, more...)
	m, err := stun.Build(append(all, stun.NewShortTermIntegrity(password), stun.Fingerprint)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func priority(p byte) stun.Setter { return attribute{stun.AttrPriority, []byte{p, 0, 0, 0}} }

var nominated = attribute{stun.AttrUseCandidate, nil}

// answered reads our answer.
func answered(t testing.TB, raw []byte) *stun.Message {
	t.Helper()
	m := &stun.Message{}
	if raw == nil {
		t.Fatal("no answer")
	}
	if err := errors.Join(stun.Decode(raw, m), stun.Fingerprint.Check(m), stun.NewShortTermIntegrity(ours.Password).Check(m)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCheckIsAnswered(t *testing.T) {
	for _, text := range []string{"192.0.2.1:4000", "[2001:db8::1]:4000"} {
		in, from := lite(t), netip.MustParseAddrPort(text)
		raw := aCheck(t, ours.Password, priority(1))
		answer, moved := in.check(from, raw, time.Second)
		m := answered(t, answer)
		var mapped stun.XORMappedAddress
		if err := mapped.GetFrom(m); err != nil || mapped.String() != from.String() || m.Type != stun.BindingSuccess || !bytes.Equal(m.TransactionID[:], raw[8:20]) {
			t.Errorf("%v, %v, %v", m, mapped, err)
		}
		if moved || in.destination().IsValid() {
			t.Error("it was not nominated, and media goes there")
		}
	}
}

func TestCheckIsNothing(t *testing.T) {
	whole := aCheck(t, ours.Password, nominated)
	changed := bytes.Clone(whole)
	changed[len(changed)-40] ^= 1
	bare := func(s ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, s...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	integrity := stun.NewShortTermIntegrity(ours.Password)
	for name, raw := range map[string][]byte{
		"another password": aCheck(t, "another password of 22", nominated),
		"a bit changed":    changed,
		"cut":              whole[:len(whole)-1],
		"a header":         whole[:20],
		"a byte":           whole[:1],
		"another user":     bare(stun.BindingRequest, stun.NewUsername("theirs:ours"), nominated, integrity, stun.Fingerprint),
		"nobody":           bare(stun.BindingRequest, nominated, integrity, stun.Fingerprint),
		"no password":      bare(stun.BindingRequest, stun.NewUsername("ours:theirs"), nominated, stun.Fingerprint),
		"no fingerprint":   bare(stun.BindingRequest, stun.NewUsername("ours:theirs"), nominated, integrity),
		"an indication":    bare(stun.NewType(stun.MethodBinding, stun.ClassIndication), stun.NewUsername("ours:theirs"), integrity, stun.Fingerprint),
		"an answer":        bare(stun.BindingSuccess, stun.NewUsername("ours:theirs"), integrity, stun.Fingerprint),
		"an allocation":    bare(stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewUsername("ours:theirs"), integrity, stun.Fingerprint),
		"a very long one":  append(bytes.Clone(whole), make([]byte, 1500)...),
	} {
		in := lite(t)
		answer, moved := in.check(netip.MustParseAddrPort("192.0.2.1:4000"), raw, time.Second)
		if answer != nil || moved || in.ice.began || in.seen.LastArrival != 0 {
			t.Errorf("%s: answered %x, moved %v", name, answer, moved)
		}
	}
}

func TestCheckIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		with stun.Setter
		want stun.ErrorCode
	}{
		"both are controlled":        {attribute{stun.AttrICEControlled, make([]byte, 8)}, stun.CodeRoleConflict},
		"what we would have to know": {attribute{0x7abc, nil}, stun.CodeUnknownAttribute},
	} {
		in := lite(t)
		answer, moved := in.check(netip.MustParseAddrPort("192.0.2.1:4000"), aCheck(t, ours.Password, c.with, nominated), 0)
		m := answered(t, answer)
		var code stun.ErrorCodeAttribute
		if err := code.GetFrom(m); err != nil || code.Code != c.want || m.Type != stun.BindingError || moved {
			t.Errorf("%s: %v, %v, moved %v", name, code, err, moved)
		}
	}
	in := lite(t) // what we need not know
	answer, _ := in.check(netip.MustParseAddrPort("192.0.2.1:4000"), aCheck(t, ours.Password, attribute{0xc057, make([]byte, 4)}, nominated), 0)
	if m := answered(t, answer); m.Type != stun.BindingSuccess {
		t.Error(m)
	}
}

func TestNomination(t *testing.T) {
	in := lite(t)
	a, b := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:4000")
	for _, step := range []struct {
		rule     string
		from     netip.AddrPort
		priority byte
		named    bool
		now      time.Duration
		want     netip.AddrPort
	}{
		{"a check is no nomination", a, 5, false, 0, netip.AddrPort{}},
		{"the first", a, 5, true, 0, a},
		{"a lower one beside it", b, 4, true, time.Second, a},
		{"the first again", a, 5, true, 4 * time.Second, a},
		{"a lower one beside it still", b, 4, true, 8 * time.Second, a},
		{"a lower one, and the first is no more", b, 4, true, 9 * time.Second, b},
		{"a higher one", a, 5, true, 9 * time.Second, a},
	} {
		more := []stun.Setter{priority(step.priority)}
		if step.named {
			more = append(more, nominated)
		}
		was := in.destination()
		_, moved := in.check(step.from, aCheck(t, ours.Password, more...), step.now)
		if got := in.destination(); got != step.want || moved != (got != was) {
			t.Errorf("%s: media goes to %v, want %v; moved %v", step.rule, got, step.want, moved)
		}
		if got := in.controlDestination(); got != step.want {
			t.Errorf("%s: RTCP goes to %v, want %v", step.rule, got, step.want)
		}
	}
}

// A peer that makes checks is there as long as it makes them, on hold too.
func TestConsent(t *testing.T) {
	in := lite(t)
	in.agreed.Send = false
	in.agreed.Receive = false
	if dead, _ := in.dead(time.Hour, 30*time.Second); dead {
		t.Error("dead before it began; the handshake's time is for that")
	}
	in.check(netip.MustParseAddrPort("192.0.2.1:4000"), aCheck(t, ours.Password, nominated), time.Hour)
	for after, want := range map[time.Duration]bool{consentTime - 1: false, consentTime: true} {
		if dead, _ := in.dead(time.Hour+after, 30*time.Second); dead != want {
			t.Errorf("after %v: %v", after, dead)
		}
	}
}

// A restart has other words; media stays where it is until the next nomination.
func TestRestart(t *testing.T) {
	in := lite(t)
	a, b := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:4000")
	in.check(a, aCheck(t, ours.Password, nominated, priority(9)), 0)
	p := in.agreed
	again := *p.DTLS
	again.ICE = &ICE{Ufrag: "more", Password: ours.Password, RemoteUfrag: "words"}
	p.DTLS = &again
	p, err := p.checked(netip.MustParseAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	in.agree(p, 1, time.Second)
	if got := in.destination(); got != a {
		t.Errorf("media goes to %v", got)
	}
	if answer, _ := in.check(b, aCheck(t, ours.Password, nominated), time.Second); answer != nil {
		t.Error("old words are answered")
	}
	all := []stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername("more:words"), nominated, priority(9), stun.NewShortTermIntegrity(ours.Password), stun.Fingerprint}
	m, err := stun.Build(all...)
	if err != nil {
		t.Fatal(err)
	}
	if _, moved := in.check(b, m.Raw, 2*time.Second); !moved || in.destination() != b {
		t.Errorf("media goes to %v", in.destination())
	}
}

// A full agent of ICE finds the line, and shakes hands with it; from there on it is the peer, and nobody else is.
func TestFullAgent(t *testing.T) {
	for _, active := range []bool{true, false} {
		line := newPhone(t, "127.0.0.1", Config{})
		ida, idb := newIdentity(t), newIdentity(t)
		agent := newAgent(t)
		ufrag, _, err := agent.GetLocalUserCredentials()
		if err != nil {
			t.Fatal(err)
		}
		agreed := ICE{Ufrag: "ours", Password: ours.Password, RemoteUfrag: ufrag}
		p := shaking(netip.MustParseAddrPort("192.0.2.1:9"), ida, idb, active)
		p.DTLS.ICE = &agreed
		negotiate(t, line, p)
		line.run(line)

		candidate, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: "127.0.0.1", Port: int(line.LocalAddr().Port()), Component: 1})
		if err != nil {
			t.Fatal(err)
		}
		gathered := make(chan struct{})
		if err := agent.OnCandidate(func(c ice.Candidate) {
			if c == nil {
				close(gathered)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(agent.GatherCandidates(), agent.AddRemoteCandidate(candidate)); err != nil {
			t.Fatal(err)
		}
		next(t, gathered)
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		path, err := agent.Dial(ctx, "ours", ours.Password)
		if err != nil {
			t.Fatal(err)
		}
		far := &association{dtls: &DTLS{Identity: idb, Fingerprints: []Fingerprint{of(ida)}, Active: !active}}
		conn, err := far.endpoint(dtlsnet.PacketConnFromConn(path), path.RemoteAddr())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.HandshakeContext(ctx); err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		next(t, line.Secured())
		if got := line.Stats().Remote; got.Addr() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("media goes to %v", got)
		}
		if err := line.WriteFrame(&codec.Frame{Kind: codec.PCMU, Payload: make([]byte, 160)}); err != nil || line.Stats().PacketsSent != 1 {
			t.Errorf("%v, %+v", err, line.Stats())
		}
	}
}

func newAgent(t *testing.T) *ice.Agent {
	t.Helper()
	n, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	agent, err := ice.NewAgentWithOptions(ice.WithNet(n), ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
		ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}), ice.WithIncludeLoopback())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Close() })
	return agent
}

// FuzzDemultiplexed: whatever comes to the port of a line that waits for checks and for a handshake is no sound, moves nothing and is not
// answered, unless it is a check with the password.
func FuzzDemultiplexed(f *testing.F) {
	f.Add(aCheck(f, ours.Password, nominated, priority(1)), false)
	f.Add(aCheck(f, ours.Password, attribute{stun.AttrICEControlled, make([]byte, 8)}), false)
	f.Add(aCheck(f, "another password of 22", nominated), true)
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, true)
	f.Add(append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, make([]byte, 160)...), true)
	f.Add([]byte{0x80, 200, 0, 6}, false)
	f.Add([]byte{64, 0, 0, 0}, false)
	f.Add([]byte{}, true)
	in := lite(f)
	fresh := *in
	f.Fuzz(func(t *testing.T, data []byte, near bool) {
		*in = fresh
		from := netip.MustParseAddrPort("192.0.2.1:4000")
		if near {
			in.check(from, aCheck(t, ours.Password, nominated), 0)
		}
		was := in.destination()
		var frame codec.Frame
		a := in.take(from, data, 0, &frame)
		if a.sound || a.moved || a.digits.n > 0 {
			t.Fatalf("%x: %+v", data, a)
		}
		switch a.other {
		case noOther:
		case handshaking:
			if in.admitFlight(from) != near {
				t.Errorf("a handshake with %v: %v", from, !near)
			}
		case binding:
			other := netip.MustParseAddrPort("192.0.2.9:4000")
			answer, moved := in.check(other, data, 0)
			m := &stun.Message{}
			authentic := stun.Decode(data, m) == nil && stun.NewShortTermIntegrity(ours.Password).Check(m) == nil
			if (answer != nil || moved) && !authentic {
				t.Errorf("%x is answered, moved %v", data, moved)
			}
			if answer != nil {
				answered(t, answer)
			}
			if !moved && in.destination() != was {
				t.Error("moved, and did not say so")
			}
		}
	})
}
