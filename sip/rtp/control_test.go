package rtp

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
)

func TestReports(t *testing.T) {
	for _, mux := range []bool{false, true} {
		a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
		pa, pb := call(b.LocalAddr()), call(a.LocalAddr())
		pa.RTCPMux, pb.RTCPMux = mux, mux
		negotiate(t, a, pa)
		negotiate(t, b, pb)
		a.run(a)
		b.run(b)
		for n := range 5 {
			_, _ = a.WriteFrame(pcmu(n)), b.WriteFrame(pcmu(n))
			next(t, a.frames)
			next(t, b.frames)
		}
		a.report(a.clock(), false) // SR
		await(t, func() bool { return b.Stats().Reports == 1 })
		b.report(b.clock(), false) // answers it
		await(t, func() bool { return a.Stats().Reports == 1 })
		if s := a.Stats(); s.RoundTrip <= 0 || s.RoundTrip > time.Second || s.RemoteLost != 0 {
			t.Errorf("mux %v: got round trip %v, lost %d", mux, s.RoundTrip, s.RemoteLost)
		}
		if s := b.Stats(); s.Drops != (Drops{}) || s.PacketsReceived != 5 {
			t.Errorf("mux %v: got %+v", mux, s)
		}
	}
}

func TestBye(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	p := call(peer.addr())
	p.RTCPMux = true
	negotiate(t, a, p)
	if err := a.WriteFrame(pcmu(0)); err != nil {
		t.Fatal(err)
	}
	ssrc := a.Stats().SSRC
	_ = a.Close()
	var sent pion.Packet
	if err := sent.Unmarshal(peer.receive(soon)); err != nil || sent.SSRC != ssrc {
		t.Fatalf("got %v, %v", sent, err)
	}
	packets, err := rtcp.Unmarshal(peer.receive(soon))
	if err != nil || len(packets) != 3 {
		t.Fatalf("got %v, %v, want a report, a name and a BYE", packets, err)
	}
	if bye, ok := packets[2].(*rtcp.Goodbye); !ok || bye.Sources[0] != ssrc {
		t.Errorf("got %v", packets[2])
	}

	silent := newPhone(t, "127.0.0.1", Config{})
	negotiate(t, silent, p)
	_ = silent.Close()
	if got := peer.receive(atOnce); got != nil {
		t.Errorf("who has said nothing says no BYE: got %x", got)
	}
}
