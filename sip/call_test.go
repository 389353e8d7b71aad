package sip

import (
	"errors"
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
