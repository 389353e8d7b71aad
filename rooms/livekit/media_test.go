package livekit

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// candidates returns the addresses that a peer connection offers.
func candidates(t *testing.T, pc *webrtc.PeerConnection) (at []netip.AddrPort) {
	t.Helper()
	if _, err := pc.CreateDataChannel("any", nil); err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	_, all := withoutCandidates(pc.LocalDescription().SDP)
	for _, c := range all {
		word := strings.Fields(c.Candidate) // RFC 8839 section 5.1
		if word[1] == "1" {                 // the second component shares the socket of the first
			at = append(at, netip.MustParseAddrPort(net.JoinHostPort(word[4], word[5])))
		}
	}
	return at
}

// A participant has the port for as long as its peer connection lasts, and another has it then.
func TestAPortForEachParticipant(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	only := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := newMedia(Config{
		URL: &url.URL{Scheme: "ws", Host: "127.0.0.1"}, UDP: Ports{Addr: only.Addr(), First: only.Port(), Last: only.Port()},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	join := func() *webrtc.PeerConnection {
		pc, err := m.newPeer(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pc.Close() })
		return pc
	}
	first := join()
	if got := candidates(t, first); len(got) != 1 || got[0] != only {
		t.Errorf("the first: got %v, want %v", got, only)
	}
	if got := candidates(t, join()); len(got) != 0 {
		t.Errorf("the second, with no port left: got %v, want nothing", got)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if got := candidates(t, join()); len(got) != 1 || got[0] != only {
		t.Errorf("after the first: got %v, want %v", got, only)
	}
}

func TestWhatCannotBeHadIsKnownAtOnce(t *testing.T) {
	_, err := newMedia(Config{
		URL: &url.URL{Scheme: "ws", Host: "127.0.0.1"}, UDP: Ports{Addr: netip.MustParseAddr("192.0.2.77")},
		Log: slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), "192.0.2.77") {
		t.Errorf("an address of another machine: got %v, want an error that names it", err)
	}
}
