package sdp

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// offerOf returns the offer of a golden file.
func offerOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse(data).Files {
		if f.Name == "offer" {
			return string(f.Data)
		}
	}
	t.Fatalf("%s has no offer", name)
	return ""
}

// A dialog keeps its words and its side of the handshake; with other words of the peer's it has other words, and with
// another certificate another handshake.
func TestRenewedHandshake(t *testing.T) {
	offer := offerOf(t, "webrtc-chrome-jssip")
	s := &Session{Local: parsePolicy(t, "srtp optional\ndtls too\n")}
	answer := func(offer string) *DTLS {
		t.Helper()
		_, media := answerOf(t, s, offer)
		if media.DTLS == nil || media.DTLS.ICE == nil {
			t.Fatalf("%+v", media)
		}
		return media.DTLS
	}
	same := func(a, b *ICE) bool {
		return a.Ufrag == b.Ufrag && bytes.Equal(a.Password.Reveal(), b.Password.Reveal())
	}
	first := answer(offer)
	held := answer(strings.Replace(offer, "a=sendrecv", "a=sendonly", 1))
	if !same(first.ICE, held.ICE) || !held.Active {
		t.Errorf("on hold: %+v, was %+v", held, first)
	}
	restarted := answer(strings.NewReplacer("Yx3k", "new1", "mB0pQd8uVn5rTz2sWc6eLk1j", "another-password-of-24ch").Replace(offer))
	if same(first.ICE, restarted.ICE) || !restarted.Active {
		t.Errorf("restarted: %+v, was %+v", restarted, first)
	}
	turned := answer(strings.Replace(offer, "setup:actpass", "setup:active", 1))
	if turned.Active {
		t.Error("the peer begins, and we do")
	}
	if kept := answer(offer); kept.Active {
		t.Error("it may be either, and the side changes in a dialog")
	}
	if other := answer(strings.Replace(offer, "sha-256 13:", "sha-256 14:", 1)); !other.Active {
		t.Error("another handshake begins with the side of the one before")
	}
	if key := fmt.Sprintf("%v %+v %#v", first.ICE.Password, *first.ICE, *first); strings.Contains(key, string(first.ICE.Password.Reveal())) {
		t.Errorf("the password is printed: %s", key)
	}

	// What we offer then is what was agreed on, and leaves the side to the peer.
	ours, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a=setup:actpass", "a=ice-lite", "a=rtcp-mux", "a=mid:0", "a=group:BUNDLE 0", "m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 126"} {
		if !strings.Contains(string(ours), line) {
			t.Errorf("no %s in our offer\n%s", line, ours)
		}
	}
	media, err := s.ReadAnswer(crlf(strings.Replace(offer, "setup:actpass", "setup:passive", 1)))
	if err != nil || media.DTLS == nil || !media.DTLS.Active || media.DTLS.ICE == nil {
		t.Errorf("%+v, %v", media, err)
	}
}

// The old name of the protocol is kept as well.
func TestRenewedHandshakeOfTheOldName(t *testing.T) {
	offer := offerOf(t, "dtls-savpf")
	s := &Session{Local: parsePolicy(t, "srtp optional\ndtls too\n")}
	answerOf(t, s, offer)
	ours, err := s.Offer()
	if err != nil || !strings.Contains(string(ours), "m=audio 20000 rtp/savpf 0") {
		t.Fatalf("%s, %v", ours, err)
	}
	media, err := s.ReadAnswer(crlf(strings.Replace(offer, "setup:actpass", "setup:active", 1)))
	if err != nil || media.DTLS == nil || media.DTLS.Active || media.Crypto != nil {
		t.Errorf("%+v, %v", media, err)
	}
}
