package rtp

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newIdentity(t testing.TB) *Identity {
	t.Helper()
	i, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// of is the fingerprint of an identity, as its peer has it from the SDP.
func of(i *Identity) Fingerprint {
	return Fingerprint{"sha-256", digest(crypto.SHA256, i.certificate.Certificate[0])}
}

// shaking is a call with whoever is at remote, whose keys are made on the line.
func shaking(remote netip.AddrPort, ours, theirs *Identity, active bool) Params {
	p := call(remote)
	p.RTCPMux = true
	p.DTLS = &DTLS{Identity: ours, Fingerprints: []Fingerprint{of(theirs)}, Active: active}
	return p
}

func TestFingerprintAsAnAttribute(t *testing.T) {
	i := newIdentity(t)
	hash, hexes, _ := strings.Cut(i.Fingerprint(), " ")
	digest, err := hex.DecodeString(strings.ReplaceAll(hexes, ":", ""))
	if err != nil || strings.Count(hexes, ":") != 31 || strings.ToUpper(hexes) != hexes || !(Fingerprint{hash, digest}).fits(i.certificate.Certificate[0]) {
		t.Errorf("%q, %v", i.Fingerprint(), err)
	}
	if (Fingerprint{"sha-1", digest[:20]}).fits(i.certificate.Certificate[0]) || (Fingerprint{hash, digest[:31]}).fits(i.certificate.Certificate[0]) {
		t.Error("a fingerprint that is none fits")
	}
}

// talk sends frames both ways and wants all of them.
func talk(t *testing.T, a, b *phone) {
	t.Helper()
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
}

func TestKeysOfAHandshake(t *testing.T) {
	for _, suites := range [][]string{nil, {"AEAD_AES_128_GCM"}, {"AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"}, {"AES_CM_128_HMAC_SHA1_32"}} {
		t.Run(fmt.Sprint(suites), func(t *testing.T) {
			a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
			ida, idb := newIdentity(t), newIdentity(t)
			pa, pb := shaking(b.LocalAddr(), ida, idb, true), shaking(a.LocalAddr(), idb, ida, false)
			pa.DTLS.Suites = suites
			negotiate(t, a, pa)
			negotiate(t, b, pb)
			if err := a.WriteFrame(pcmu(0)); err != nil || a.Stats().SendDrops.Held != 1 {
				t.Errorf("sent without a key: %v, %+v", err, a.Stats().SendDrops)
			}
			a.run(a)
			b.run(b)
			next(t, a.Secured())
			next(t, b.Secured())
			talk(t, a, b)
			a.report(a.clock(), false)
			await(t, func() bool { return b.Stats().Reports == 1 })
			if d := b.Stats().Drops; d != (Drops{}) {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// Sound before there are keys is none, whoever it is from.
func TestNoSoundBeforeTheKeys(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, shaking(peer.addr(), newIdentity(t), newIdentity(t), false))
	a.run(a)
	peer.send(t, a.LocalAddr(), append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, make([]byte, 160)...))
	peer.send(t, a.LocalAddr(), []byte{0x80, 201, 0, 1, 1, 2, 3, 4})
	await(t, func() bool { return a.Stats().Drops.Unauthentic == 2 })
	none(t, a.frames)
	if s := a.Stats(); s.Latched || s.Reports != 0 || s.LastArrival != 0 {
		t.Errorf("got %+v", s)
	}
	if got := peer.receive(atOnce); got != nil {
		t.Errorf("sent %x", got)
	}
}

// A call whose keys the peer does not make, or somebody else, is none.
func TestAnotherCertificateEndsTheCall(t *testing.T) {
	for _, active := range []bool{true, false} {
		t.Run(fmt.Sprint("active ", active), func(t *testing.T) {
			a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
			ida, idb, third := newIdentity(t), newIdentity(t), newIdentity(t)
			negotiate(t, a, shaking(b.LocalAddr(), ida, third, active))
			negotiate(t, b, shaking(a.LocalAddr(), idb, ida, !active))
			a.run(a)
			b.run(b)
			if err := next(t, a.end); !errors.Is(err, ErrFingerprint) {
				t.Errorf("got %v, want %v", err, ErrFingerprint)
			}
			a.stop = nil
			select {
			case <-a.Secured():
				t.Error("there are keys")
			default:
			}
		})
	}
}

func TestNoSuiteInCommonEndsTheCall(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	ida, idb := newIdentity(t), newIdentity(t)
	pa, pb := shaking(b.LocalAddr(), ida, idb, true), shaking(a.LocalAddr(), idb, ida, false)
	pa.DTLS.Suites, pb.DTLS.Suites = []string{"AEAD_AES_128_GCM"}, []string{"AES_CM_128_HMAC_SHA1_80"}
	negotiate(t, a, pa)
	negotiate(t, b, pb)
	a.run(a)
	b.run(b)
	for _, p := range []*phone{a, b} {
		if err := next(t, p.end); !errors.Is(err, ErrHandshake) {
			t.Errorf("got %v, want %v", err, ErrHandshake)
		}
		p.stop = nil
	}
}

// A re-INVITE with the same certificate goes on with the keys; one with another makes others, and another SSRC.
func TestKeysChangeWithTheCertificate(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	ida, idb := newIdentity(t), newIdentity(t)
	pa, pb := shaking(b.LocalAddr(), ida, idb, true), shaking(a.LocalAddr(), idb, ida, false)
	negotiate(t, a, pa)
	negotiate(t, b, pb)
	a.run(a)
	b.run(b)
	next(t, a.Secured())
	next(t, b.Secured())
	talk(t, a, b)
	negotiate(t, a, pa)
	negotiate(t, b, pb)
	talk(t, a, b)
	was := a.Stats().SSRC
	idb = newIdentity(t)
	negotiate(t, b, shaking(a.LocalAddr(), idb, ida, false))
	negotiate(t, a, shaking(b.LocalAddr(), ida, idb, true))
	await(t, func() bool { return a.Stats().SSRC != was })
	a.mu.Lock()
	own := a.in.own
	a.mu.Unlock()
	if own != a.Stats().SSRC {
		t.Errorf("reports are taken of %x, and we send %x", own, a.Stats().SSRC)
	}
	await(t, func() bool { return b.Stats().SSRC != 0 && a.WriteFrame(pcmu(3)) == nil && len(b.frames) > 0 })
	if got := (<-b.frames).Payload; !bytes.Equal(got, pcmu(3).Payload) {
		t.Errorf("got %q", got)
	}
}

// Who has no DTLS, and an answer that comes after keys of the SDP, change the line as they say.
func TestBetweenKindsOfKeys(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	wire := func() int {
		t.Helper()
		if err := a.WriteFrame(pcmu(0)); err != nil {
			t.Fatal(err)
		}
		return len(peer.receive(atOnce))
	}
	negotiate(t, a, secured(peer.addr(), keyed(usual, "a", "b")))
	if n := wire(); n != headerSize+160+10 {
		t.Errorf("with keys of the SDP: %d bytes", n)
	}
	negotiate(t, a, shaking(peer.addr(), newIdentity(t), newIdentity(t), false))
	if n := wire(); n != 0 {
		t.Errorf("without a key: %d bytes", n)
	}
	late := a.association
	negotiate(t, a, call(peer.addr()))
	if err := a.keyed(late, keyed(usual, "c", "d")); err != nil { // a handshake that ends when nobody wants it any more
		t.Fatal(err)
	}
	if n := wire(); n != headerSize+160 {
		t.Errorf("in clear: %d bytes", n)
	}
	if a.in.opener != nil {
		t.Error("what comes in clear would be opened")
	}
}

// A handshake that does not come is waited for, but not for ever.
func TestNoHandshakeInTime(t *testing.T) {
	for _, active := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := &Line{log: discarded(), associations: make(chan struct{}, 1), secured: make(chan struct{})}
			ports, err := NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if l.pair, err = ports.open(); err != nil {
				t.Fatal(err)
			}
			defer l.pair.close()
			l.associate(&DTLS{Identity: newIdentity(t), Fingerprints: []Fingerprint{{}}, Active: active})
			began := time.Now()
			if err := l.secure(context.Background()); !errors.Is(err, ErrHandshake) || time.Since(began) != handshakeTime {
				t.Errorf("active %v: got %v after %v", active, err, time.Since(began))
			}
		})
	}
}

func TestWhatCannotBeShaken(t *testing.T) {
	i := newIdentity(t)
	good := &ICE{Ufrag: "abcd", Password: strings.Repeat("p", 22), RemoteUfrag: "efgh"}
	for name, change := range map[string]func(*Params){
		"no certificate":   func(p *Params) { p.DTLS.Identity = nil },
		"no fingerprint":   func(p *Params) { p.DTLS.Fingerprints = nil },
		"keys of the SDP":  func(p *Params) { p.SRTP = keyed(usual, "a", "b") },
		"ICE, two ports":   func(p *Params) { p.DTLS.ICE, p.RTCPMux = good, false },
		"ICE, short words": func(p *Params) { p.DTLS.ICE = &ICE{Ufrag: "abcd", Password: "short", RemoteUfrag: "efgh"} },
	} {
		p := shaking(netip.MustParseAddrPort("127.0.0.1:4000"), i, i, true)
		change(&p)
		if err := newPhone(t, "127.0.0.1", Config{}).Negotiate(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
