package sdp

import (
	"bytes"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"passerelle/codec"
)

func newLocal(address string) Local {
	return Local{
		Origin:  Origin{ID: 1000, Version: 1},
		Address: netip.MustParseAddrPort(address),
		Codecs:  []codec.Kind{codec.PCMA, codec.PCMU, codec.G722, codec.Opus, codec.ComfortNoise},
		RTCPMux: true,
	}
}

// FuzzAnswer holds what is true of every offer that can be answered.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "offer" || part.Name == "answer" {
				f.Add(crlf(string(part.Data)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, offer []byte) {
		for _, address := range []string{"198.51.100.7:20000", "[2001:db8::7]:20000"} {
			local := newLocal(address)
			checkAnswer(t, offer, local)
			local.Security = Security{
				Policy: Optional, Fingerprint: "sha-256 " + strings.TrimSuffix(strings.Repeat("0A:", 32), ":"),
				NewKey: func(size int) []byte { return bytes.Repeat([]byte{'k'}, size) },
			}
			checkAnswer(t, offer, local)
		}
	})
}

// checkAnswer fails where an answer does not fit its offer (RFC 3264 section 6), or the two ends understand it
// differently.
func checkAnswer(t *testing.T, offer []byte, local Local) {
	t.Helper()
	answer, media, err := Answer(offer, local)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		if _, text := e.Warning(); len(text) > 500 || printable(text, 500) != text {
			t.Fatalf("warning %q", text)
		}
		return
	}
	o, err := parse(offer)
	if err != nil {
		t.Fatalf("answered, but: %v", err)
	}
	a, err := parse(answer)
	if err != nil {
		t.Fatalf("the answer does not parse: %v\n%s", err, answer)
	}
	if len(a.MediaDescriptions) != len(o.MediaDescriptions) {
		t.Fatalf("%d m-lines for %d\n%s", len(a.MediaDescriptions), len(o.MediaDescriptions), answer)
	}
	alive := 0
	for i, m := range a.MediaDescriptions {
		was, is := o.MediaDescriptions[i].MediaName, m.MediaName
		if is.Media != was.Media || strings.Join(is.Protos, "/") != strings.Join(was.Protos, "/") {
			t.Fatalf("m-line %d: %s for %s", i, is.String(), was.String())
		}
		if is.Port.Value != 0 {
			alive++
		}
		if is.Port.Value != 0 && was.Port.Value == 0 {
			t.Fatalf("m-line %d was rejected and lives", i)
		}
	}
	if alive != 1 {
		t.Fatalf("%d m-lines are alive\n%s", alive, answer)
	}
	checkSecrecy(t, offer, answer, local, media)
	checkOtherEnd(t, offer, answer, local, media)
	checkRenewal(t, offer, local)
	again, _, err := Answer(offer, local)
	if err != nil || !bytes.Equal(again, answer) {
		t.Fatalf("another answer to the same offer: %v", err)
	}
}

// checkSecrecy fails where a line that makes its keys with a handshake lacks what the peer needs for it, or another has it.
func checkSecrecy(t *testing.T, offer, answer []byte, local Local, media Media) {
	t.Helper()
	text := string(answer)
	for attribute, want := range map[string]bool{
		"a=fingerprint:" + local.Security.Fingerprint: media.DTLS != nil, "a=setup:": media.DTLS != nil,
		"a=ice-lite": media.DTLS != nil && media.DTLS.ICE != nil, "a=candidate:": media.DTLS != nil && media.DTLS.ICE != nil,
	} {
		if strings.Contains(text, attribute) != want {
			t.Fatalf("%s: %v\n%s", attribute, !want, text)
		}
	}
	switch {
	case media.DTLS == nil:
	case media.Crypto != nil || len(media.DTLS.Fingerprints) == 0 || local.Security.Policy == Plain:
		t.Fatalf("%+v\n%s\n%s", media, offer, answer)
	case media.DTLS.ICE != nil && (media.DTLS.ICE.RemoteUfrag == "" || !media.RTCPMux):
		t.Fatalf("%+v\n%s\n%s", media.DTLS.ICE, offer, answer)
	}
}

// checkOtherEnd reads the answer as the peer who offered.
func checkOtherEnd(t *testing.T, offer, answer []byte, local Local, media Media) {
	t.Helper()
	theirs, err := ReadAnswer(offer, answer, local)
	if err != nil {
		t.Fatalf("the answer is not understood: %v\n%s", err, answer)
	}
	if theirs.Kind != media.Kind || theirs.PayloadType != media.PayloadType || theirs.PTime != media.PTime ||
		theirs.TelephoneEvent != media.TelephoneEvent || theirs.ComfortNoise != media.ComfortNoise || theirs.RTCPMux != media.RTCPMux {
		t.Fatalf("here %+v, there %+v\n%s", media, theirs, answer)
	}
	if theirs.Direction != media.Direction.reverse() {
		t.Fatalf("here %s, there %s\n%s", media.Direction, theirs.Direction, answer)
	}
	if theirs.Remote != local.Address {
		t.Fatalf("the peer sends to %s", theirs.Remote)
	}
	if checks := media.DTLS != nil && media.DTLS.ICE != nil; !checks && media.Direction.Sends() && (!media.Remote.IsValid() || media.Remote.Port() == 0) {
		t.Fatalf("we send to %s", media.Remote)
	}
}

// checkRenewal makes an offer of our own after an answer: the same m-lines, every payload type once, and it can be
// answered.
func checkRenewal(t *testing.T, offer []byte, local Local) {
	t.Helper()
	s := &Session{Local: local}
	if _, _, err := s.Answer(offer); err != nil {
		t.Fatal(err)
	}
	renewed, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	before, err := parse(offer)
	if err != nil {
		t.Fatal(err)
	}
	after, err := parse(renewed)
	if err != nil {
		t.Fatalf("%v\n%s", err, renewed)
	}
	if len(after.MediaDescriptions) != len(before.MediaDescriptions) {
		t.Fatalf("%d m-lines after %d\n%s", len(after.MediaDescriptions), len(before.MediaDescriptions), renewed)
	}
	for _, m := range after.MediaDescriptions {
		if name := m.MediaName; name.Port.Value != 0 && len(formatsOf(m)) != len(name.Formats) {
			t.Fatalf("a payload type twice\n%s", renewed)
		}
	}
	peer := local
	peer.Address = netip.AddrPortFrom(local.Address.Addr(), 30000)
	answer, _, err := Answer(renewed, peer)
	if err != nil {
		t.Fatalf("%v\n%s", err, renewed)
	}
	if _, err := s.ReadAnswer(answer); err != nil {
		t.Fatalf("%v\n%s\n%s", err, renewed, answer)
	}
}

// FuzzReadAnswer holds what is true of everything that passes for an answer to our offer.
func FuzzReadAnswer(f *testing.F) {
	local := newLocal("198.51.100.7:20000")
	offer, err := Offer(local)
	if err != nil {
		f.Fatal(err)
	}
	answer, _, err := Answer(offer, newLocal("203.0.113.7:30000"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add(offer)
	f.Fuzz(func(t *testing.T, answer []byte) {
		media, err := ReadAnswer(offer, answer, local)
		if err != nil {
			return
		}
		if !slices.Contains(local.Codecs, media.Kind) || media.Kind == codec.ComfortNoise {
			t.Fatalf("codec %s", media.Kind)
		}
		if !slices.Contains(packetTimes(media.Kind), media.PTime) {
			t.Fatalf("packets of %s", media.PTime)
		}
		if media.Direction.Sends() && !media.Remote.IsValid() {
			t.Fatal("nowhere to send to")
		}
	})
}

// TestOfferIsAnswered plays both ends of our own offers.
func TestOfferIsAnswered(t *testing.T) {
	for kind := codec.PCMU; kind <= codec.Opus; kind++ {
		local := newLocal("198.51.100.7:20000")
		local.Codecs = []codec.Kind{kind}
		offer, err := Offer(local)
		if err != nil {
			t.Fatal(err)
		}
		peer := newLocal("203.0.113.7:30000")
		checkAnswer(t, offer, peer)
		_, media, err := Answer(offer, peer)
		if err != nil || media.Kind != kind || media.TelephoneEvent < 0 || !media.RTCPMux {
			t.Errorf("%s: %+v, %v", kind, media, err)
		}
	}
}
