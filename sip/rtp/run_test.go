package rtp

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"passerelle/codec"
)

func TestDeadPeer(t *testing.T) {
	tests := []struct {
		name string
		p    func(*Params)
		dead bool
	}{
		{"a peer that should send", func(*Params) {}, true},
		{"a peer that we hold", func(p *Params) { p.Receive = false }, false},
		{"a peer that holds us and could play music", func(p *Params) { p.Send = false }, false},
		{"a peer that holds us the old way", func(p *Params) { p.Remote = netip.MustParseAddrPort("0.0.0.0:4000") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in inbound
			p := agreed()
			tt.p(&p)
			if dead, _ := in.dead(time.Hour, 30*time.Second); dead {
				t.Error("dead before anything is agreed on")
			}
			in.agree(p, 1, 10*time.Second)
			if dead, again := in.dead(39*time.Second, 30*time.Second); dead || again != 40*time.Second {
				t.Errorf("before the time-out: got %v, again at %v", dead, again)
			}
			if dead, _ := in.dead(40*time.Second, 30*time.Second); dead != tt.dead {
				t.Errorf("after the time-out: got %v, want %v", dead, tt.dead)
			}
			if dead, _ := in.dead(time.Hour, -1); dead {
				t.Error("dead without a time-out")
			}
			in.agree(agreed(), 1, 50*time.Second)
			if dead, _ := in.dead(79*time.Second, 30*time.Second); dead {
				t.Error("the time begins anew with a re-INVITE")
			}
		})
	}
}

func TestSignsOfLife(t *testing.T) {
	report := marshal(t, &rtcp.ReceiverReport{SSRC: 9})
	tests := []struct {
		name  string
		from  string
		data  []byte
		alive bool
	}{
		{"sound", exactA, sound(5, 2, 160), true},
		{"comfort noise", exactA, rtpPacket(13, 5, 2, 160, []byte{40}), true},
		{"an event", exactA, rtpPacket(101, 5, 2, 160, []byte{1, 0, 0, 160}), true},
		{"a report", "127.0.0.1:4001", report, true},
		{"a stranger's sound", strange, sound(5, 2, 160), false},
		{"a stranger's report", "127.0.0.2:4001", report, false},
		{"sound from another port", otherA, sound(5, 2, 160), false},
		{"no RTP", exactA, []byte("keepalive keepalive"), false},
		{"no RTCP", "127.0.0.1:4001", []byte("keepalive keepalive"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in inbound
			in.agree(agreed(), 1, 0)
			in.take(netip.MustParseAddrPort(exactA), sound(5, 1, 0), time.Second, new(codec.Frame))
			from := netip.MustParseAddrPort(tt.from)
			if from.Port()%2 == 0 || from.Port() == 9999 {
				in.take(from, tt.data, 20*time.Second, new(codec.Frame))
			} else if in.admitControl(from, tt.data, 20*time.Second) {
				in.control(tt.data, 20*time.Second)
			}
			if dead, _ := in.dead(31*time.Second, 30*time.Second); dead == tt.alive {
				t.Errorf("got dead %v", dead)
			}
		})
	}
}

func TestRunEndsWithADeadPeer(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{Timeout: 30 * time.Millisecond}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	a.run(a)
	if err := next(t, a.end); !errors.Is(err, ErrDeadPeer) {
		t.Errorf("got %v, want ErrDeadPeer", err)
	}
	a.stop = nil
	if err := a.Run(context.Background(), nil, nil); !errors.Is(err, ErrRan) {
		t.Errorf("a second Run: got %v, want ErrRan", err)
	}
}

func TestRunEndsWithTheLine(t *testing.T) {
	a := newPhone(t, "127.0.0.1", Config{})
	a.run(a)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := next(t, a.end); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	a.stop = nil
	if err := a.WriteFrame(pcmu(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("WriteFrame: got %v, want ErrClosed", err)
	}
}

type panics struct{}

func (panics) PushFrame(*codec.Frame) { panic("a decoder's mistake") }

func TestAPanicEndsOneLine(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	peer := newSocket(t, "127.0.0.1")
	for _, p := range []*phone{a, b} {
		negotiate(t, p, call(peer.addr()))
	}
	a.run(panics{})
	b.run(b)
	peer.send(t, a.LocalAddr(), sound(5, 1, 0))
	if err := next(t, a.end); err == nil || !strings.Contains(err.Error(), "a decoder's mistake") {
		t.Errorf("got %v, want the panic", err)
	}
	a.stop = nil
	peer.send(t, b.LocalAddr(), sound(5, 1, 0))
	next(t, b.frames)
}
