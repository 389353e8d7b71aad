package sip

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestCallFromFirstToLast(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, answerAll(ends)).peer(network, "")
		ok := p.establish()
		if ok.body != testSDP {
			t.Errorf("got body %q", ok.body)
		}
		p.send(p.request("BYE", "bye", 2, ok.toTag(), ""))
		p.expect(200)
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("got %v, want %v", err, ErrBye)
		}
	})
}

// A connection that is reset before the answer is told as that: the caller is gone, and nobody here is to blame.
func TestAnswersFindNoWay(t *testing.T) {
	failed := make(chan error, 1)
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		for {
			if err := d.Ring(ctx); err != nil {
				failed <- err
				d.Reject(context.WithoutCancel(ctx), Refusal{Code: 480})
				return
			}
		}
	})
	p := s.peer("tcp", "")
	p.send(p.request("INVITE", "reset", 1, "", testSDP))
	p.expect(180)
	if err := p.conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	p.conn.Close()
	if err := wait(t, failed); !errors.Is(err, ErrUnreachable) {
		t.Errorf("it fails with %v, want %v", err, ErrUnreachable)
	}
}
