package rtp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"

	"passerelle/codec"
)

// letters is a key, all of one letter.
type letters struct {
	letter string
	size   int
}

func (l letters) Reveal() []byte { return []byte(strings.Repeat(l.letter, l.size)) }

// suites are all suites with the length of their keys and salts.
func suites() map[string]int {
	return map[string]int{
		"AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AES_256_CM_HMAC_SHA1_80": 46, "AES_256_CM_HMAC_SHA1_32": 46,
		"AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
	}
}

const usual = "AES_CM_128_HMAC_SHA1_80"

// keyed is the SRTP of one end.
func keyed(suite, send, receive string) *SRTP {
	n := suites()[suite]
	return &SRTP{Suite: suite, Send: letters{send, n}, Receive: letters{receive, n}}
}

// mirrored is the other end's.
func mirrored(s SRTP) *SRTP {
	s.Send, s.Receive, s.SendMKI, s.ReceiveMKI = s.Receive, s.Send, s.ReceiveMKI, s.SendMKI
	return &s
}

// secured is a call with whoever is at remote, encrypted.
func secured(remote netip.AddrPort, s *SRTP) Params {
	p := call(remote)
	p.SRTP = s
	return p
}

func TestSecureCall(t *testing.T) {
	for suite := range suites() {
		for variant, change := range map[string]func(*SRTP){
			"":                func(*SRTP) {},
			", marked":        func(s *SRTP) { s.SendMKI, s.ReceiveMKI = []byte{1}, []byte{0, 0, 0, 7} },
			", RTCP in clear": func(s *SRTP) { s.ClearRTCP = true },
		} {
			t.Run(suite+variant, func(t *testing.T) {
				a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
				s := keyed(suite, "a", "b")
				change(s)
				negotiate(t, a, secured(b.LocalAddr(), s))
				negotiate(t, b, secured(a.LocalAddr(), mirrored(*s)))
				a.run(a)
				b.run(b)
				for n := range 10 {
					for _, from := range []*phone{a, b} {
						if err := from.WriteFrame(pcmu(n)); err != nil {
							t.Fatal(err)
						}
					}
				}
				for n := range 10 {
					for _, to := range []*phone{a, b} {
						if f := next(t, to.frames); !bytes.Equal(f.Payload, pcmu(n).Payload) {
							t.Fatalf("frame %d: got %q", n, f.Payload)
						}
					}
				}
				a.report(a.clock(), false)
				await(t, func() bool { return b.Stats().Reports == 1 })
				if d := b.Stats().Drops; d != (Drops{}) {
					t.Errorf("got %+v", d)
				}
			})
		}
	}
}

func TestTheWireShowsNoSound(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, secured(peer.addr(), keyed(usual, "a", "b")))
	if err := a.WriteFrame(pcmu(0)); err != nil {
		t.Fatal(err)
	}
	got := peer.receive(soon)
	if len(got) != headerSize+160+10 || bytes.Contains(got, []byte("aaaa")) || binary.BigEndian.Uint16(got[2:]) >= 1<<15 {
		t.Errorf("got %x", got)
	}
}

// far is the other end of a line by hand: it seals what the line is to open.
type far struct {
	t       testing.TB
	context *srtp.Context
}

func newFar(t testing.TB, s *SRTP) far {
	t.Helper()
	c, err := mirrored(*s).contexts()
	if err != nil {
		t.Fatal(err)
	}
	return far{t, c.send}
}

func (f far) rtp(plain []byte) []byte {
	f.t.Helper()
	sealed, err := f.context.EncryptRTP(nil, plain, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return sealed
}

func (f far) rtcp(plain []byte) []byte {
	f.t.Helper()
	sealed, err := f.context.EncryptRTCP(nil, plain, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return sealed
}

// secureLine is an inbound with keys, driven by hand.
type secureLine struct {
	inbound
	t   testing.TB
	now time.Duration
}

func newSecureLine(t testing.TB, s *SRTP) *secureLine {
	l := &secureLine{t: t}
	l.renegotiate(s)
	return l
}

func (l *secureLine) renegotiate(s *SRTP) {
	l.t.Helper()
	p := agreed()
	p.Receive, p.SRTP = true, s
	p, err := p.checked(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.agree(p, 77, l.now)
}

func (l *secureLine) hear(data []byte) (arrival, codec.Frame) {
	l.now += 20 * time.Millisecond
	var f codec.Frame
	a := l.take(netip.MustParseAddrPort(exactA), data, l.now, &f)
	return a, f
}

// hears fails unless a packet is heard, or is not.
func (l *secureLine) hears(rule string, want bool, data []byte) {
	l.t.Helper()
	if a, _ := l.hear(data); a.sound != want {
		l.t.Errorf("%s: heard %v, want %v", rule, a.sound, want)
	}
}

func TestWhatIsNotAuthenticIsNothing(t *testing.T) {
	for suite := range suites() {
		l := newSecureLine(t, keyed(suite, "a", "b"))
		right, wrong := newFar(t, keyed(suite, "a", "b")), newFar(t, keyed(suite, "a", "x"))
		key := rtpPacket(101, 5, 9, 0, event{code: 1, duration: 160}.append(nil))
		damaged := right.rtp(sound(5, 1, 0))
		damaged[20] ^= 1
		alive := l.alive
		for name, data := range map[string][]byte{
			"plain": sound(5, 1, 0), "another key": wrong.rtp(sound(5, 1, 0)), "damaged": damaged, "a plain digit": key,
			"another key's digit": wrong.rtp(key), "cut": right.rtp(sound(5, 2, 0))[:20],
		} {
			if a, _ := l.hear(data); a.sound || a.moved || a.digits.n != 0 {
				t.Errorf("%s, %s: %+v", suite, name, a)
			}
		}
		report := marshal(t, &rtcp.ReceiverReport{SSRC: 5})
		for name, data := range map[string][]byte{"plain": report, "another key": wrong.rtcp(report), "empty": nil} {
			if _, ok := l.openControl(netip.MustParseAddrPort(exactA), data, l.now); ok {
				t.Errorf("%s, %s: the report was taken", suite, name)
			}
		}
		if want := (Drops{Unauthentic: 9}); l.seen.Drops != want || !l.latch.open || l.alive != alive || l.seen.PacketsReceived != 0 {
			t.Errorf("%s: got %+v, latched %v, alive at %v, %d packets", suite, l.seen.Drops, !l.latch.open, l.alive, l.seen.PacketsReceived)
		}
		l.hears(suite+": the right key after all", true, right.rtp(sound(5, 3, 0)))
	}
}

func TestForgedPacketsDoNotMoveTheLine(t *testing.T) {
	l := newSecureLine(t, keyed(usual, "a", "b"))
	right := newFar(t, keyed(usual, "a", "b"))
	l.hears("the first", true, right.rtp(sound(5, 1, 0)))
	l.now += time.Minute // the source may move now, if it is the source
	for n := range uint16(50) {
		l.now += 20 * time.Millisecond
		if a := l.take(netip.MustParseAddrPort(otherA), sound(5, 2+n, 0), l.now, new(codec.Frame)); a.moved {
			t.Fatal("the line follows plain packets")
		}
	}
	moved := false
	for n := range uint16(10) {
		l.now += 20 * time.Millisecond
		a := l.take(netip.MustParseAddrPort(otherA), right.rtp(sound(5, 2+n, 0)), l.now, new(codec.Frame))
		moved = moved || a.moved
	}
	if !moved {
		t.Error("the line does not follow authentic packets")
	}
}

func TestReplayedPacketsAreDropped(t *testing.T) {
	l := newSecureLine(t, keyed(usual, "a", "b"))
	far := newFar(t, keyed(usual, "a", "b"))
	var all [][]byte
	for n := range uint16(100) {
		all = append(all, far.rtp(sound(5, n+1, 0)))
	}
	for n, data := range all {
		if n != 95 {
			l.hears("new", true, data)
		}
	}
	for _, data := range [][]byte{all[0], all[50], all[98], all[99]} {
		l.hears("old", false, data)
	}
	l.hears("late", true, all[95])
	if got := l.seen.Drops.Unauthentic; got != 4 {
		t.Errorf("%d were dropped, want 4", got)
	}
	report := far.rtcp(marshal(t, &rtcp.ReceiverReport{SSRC: 5}))
	for _, want := range []bool{true, false} {
		if _, ok := l.openControl(netip.MustParseAddrPort(exactA), report, l.now); ok != want {
			t.Errorf("a report is taken %v, want %v", ok, want)
		}
	}
}

func TestCountGoesOnOverAHold(t *testing.T) {
	s := keyed(usual, "a", "b")
	l, far := newSecureLine(t, s), newFar(t, s)
	for n := range 2000 { // the sequence wraps: the roll-over counter is 1
		l.hears("before", true, far.rtp(sound(5, uint16(64500+n), uint32(160*n))))
	}
	l.renegotiate(s) // hold
	l.now += time.Hour
	l.renegotiate(keyed(usual, "a", "b")) // resume
	l.hears("after", true, far.rtp(sound(5, 964, 0)))
}

func TestNewSSRC(t *testing.T) {
	s := keyed(usual, "a", "b")
	l, far := newSecureLine(t, s), newFar(t, s)
	l.hears("one SSRC", true, far.rtp(sound(5, 60000, 0)))
	l.now += time.Second
	heard := 0
	for n := range uint16(20) {
		if a, _ := l.hear(far.rtp(sound(6, n+1, 0))); a.sound {
			heard++
		}
	}
	if heard < 15 {
		t.Errorf("%d packets of another were heard, of 20", heard)
	}
}

func TestRekey(t *testing.T) {
	first, second := keyed(usual, "a", "b"), keyed(usual, "c", "d")
	l, old := newSecureLine(t, first), newFar(t, first)
	for n := range 2000 {
		l.hears("the first key", true, old.rtp(sound(5, uint16(64500+n), uint32(160*n))))
	}
	l.renegotiate(second)
	l.hears("on its way with the key before", true, old.rtp(sound(5, 964, 0)))
	fresh := newFar(t, second)
	l.hears("the second key", true, fresh.rtp(sound(5, 966, 0)))
	l.hears("overtaken, with the key before", true, old.rtp(sound(5, 965, 0)))
	l.now += rekeyGrace
	l.hears("the key before, too late", false, old.rtp(sound(5, 967, 0)))
	l.hears("the second key, still", true, fresh.rtp(sound(5, 967, 0)))
}

func TestRekeyWithACountThatGoesOn(t *testing.T) {
	first, second := keyed(usual, "a", "b"), keyed(usual, "c", "d")
	l, old := newSecureLine(t, first), newFar(t, first)
	for n := range 2000 {
		l.hears("the first key", true, old.rtp(sound(5, uint16(64500+n), uint32(160*n))))
	}
	l.renegotiate(second)
	fresh := newFar(t, second)
	fresh.context.SetROC(5, 1)
	for n := range uint16(3) {
		l.hears("the second key", true, fresh.rtp(sound(5, 964+n, 0)))
	}
}

func TestOurOwnKeyHasAnSSRCOfItsOwn(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	send := func() (ssrc uint32) {
		t.Helper()
		if err := a.WriteFrame(pcmu(0)); err != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint32(peer.receive(soon)[8:])
	}
	negotiate(t, a, secured(peer.addr(), keyed(usual, "a", "b")))
	first := send()
	negotiate(t, a, secured(peer.addr(), keyed(usual, "a", "c")))
	if got := send(); got != first {
		t.Error("another key of the peer changed our SSRC")
	}
	negotiate(t, a, secured(peer.addr(), keyed(usual, "d", "c")))
	if got := send(); got == first {
		t.Error("another key of ours kept our SSRC")
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	a := newPhone(t, "127.0.0.1", Config{})
	for _, s := range []*SRTP{
		{Suite: "F8_128_HMAC_SHA1_80", Send: letters{"a", 30}, Receive: letters{"b", 30}},
		{Suite: usual, Send: letters{"a", 30}, Receive: letters{"b", 29}},
		{Suite: usual, Send: letters{"a", 3}, Receive: letters{"b", 30}},
		{Suite: usual, Receive: letters{"b", 30}},
	} {
		if err := a.Negotiate(secured(netip.MustParseAddrPort(exactA), s)); err == nil {
			t.Errorf("%+v is taken", s)
		} else if strings.Contains(err.Error(), "aaa") {
			t.Errorf("the key is in %q", err)
		}
	}
}

func TestNothingIsAllocatedPerSecurePacket(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for suite := range suites() {
		w := newWire(t)
		s := keyed(suite, "a", "b")
		negotiate(t, w.line, secured(w.peer.addr(), s))
		far := newFar(t, s)
		var sealed [maxPacket + maxSealed]byte
		forged := sound(5, 3000, 0)
		receive := func() {
			w.number()
			data, err := far.context.EncryptRTP(sealed[:0], w.packet, &w.reader.line.in.packet.Header)
			if err == nil {
				err = w.reader.packet(w.peer.addr(), data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		receive() // an SSRC that was never authentic costs pion a little each time, and keeps nothing
		for name, one := range map[string]func(){
			"receive": receive,
			"send":    w.send,
			"a packet that is not authentic": func() {
				if err := w.reader.packet(w.peer.addr(), forged); err != nil {
					t.Fatal(err)
				}
			},
		} {
			one()
			if name == "a packet that is not authentic" && strings.HasPrefix(suite, "AEAD") {
				continue // pion wraps the error of GCM
			}
			if got := testing.AllocsPerRun(500, one); got != 0 {
				t.Errorf("%s, %s: got %v allocations, want 0", suite, name, got)
			}
		}
		if w.heard.frames < 500 {
			t.Errorf("%s: only %d packets were heard", suite, w.heard.frames)
		}
	}
}

// FuzzSecure holds that without the key nothing is heard, and nothing changes.
func FuzzSecure(f *testing.F) {
	far := newFar(f, keyed(usual, "a", "x"))
	f.Add(sound(5, 1, 0))
	f.Add(far.rtp(sound(5, 1, 0)))
	f.Add(far.rtcp(marshal(f, &rtcp.ReceiverReport{SSRC: 5})))
	f.Fuzz(func(t *testing.T, data []byte) {
		for suite := range suites() {
			l := newSecureLine(t, keyed(suite, "a", "b"))
			a, _ := l.hear(data)
			_, report := l.openControl(netip.MustParseAddrPort(exactA), data, l.now)
			if a.sound || a.moved || a.digits.n != 0 || report || !l.latch.open || l.seen.PacketsReceived != 0 {
				t.Errorf("%s: %x is heard", suite, data)
			}
		}
	})
}

func BenchmarkSecureSend(b *testing.B) {
	for suite := range suites() {
		b.Run(suite, func(b *testing.B) {
			s, err := keyed(suite, "a", "b").contexts()
			if err != nil {
				b.Fatal(err)
			}
			sealer, packet := &sealer{context: s.send}, sound(5, 1, 0)
			b.ReportAllocs()
			for n := uint16(0); b.Loop(); n++ {
				binary.BigEndian.PutUint16(packet[2:], n)
				if _, err := sealer.rtp(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
