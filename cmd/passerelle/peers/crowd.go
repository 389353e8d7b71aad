package peers

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Crowd is many handsets that talk by one clock.
type Crowd struct {
	Handsets []*Handset
	SetUp    []time.Duration // how long each call took to be answered

	talking sync.WaitGroup
}

// Gather calls n times, a few at once; the i-th phone calls room(i). The phones are closed at the test's
// end.
func Gather(ctx context.Context, t testing.TB, gateway *Gateway, n int, room func(i int) string) *Crowd {
	t.Helper()
	c := &Crowd{SetUp: make([]time.Duration, n)}
	for i := range n {
		h, err := NewHandset(Loopback(), gateway.SIP, room(i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		c.Handsets = append(c.Handsets, h)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, h := range c.Handsets {
		group.Go(func() error {
			began := time.Now()
			err := h.Call(ctx)
			c.SetUp[i] = time.Since(began)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Talk has every phone say the speech, again and again, each 20 ms, until ctx ends. Their packets are
// spread over the 20 ms, and each phone begins elsewhere. Wait waits for the end, and so does the test's.
func (c *Crowd) Talk(ctx context.Context, t testing.TB, speech Speech) {
	t.Helper()
	ulaw, err := os.ReadFile(speech.Raw("ulaw"))
	if err != nil {
		t.Fatal(err)
	}
	const frame = 160
	frames := len(ulaw) / frame
	t.Cleanup(c.talking.Wait)
	c.talking.Go(func() {
		begin := time.Now()
		for n := 0; ; n++ {
			for i, h := range c.Handsets {
				due := begin.Add(time.Duration(n)*20*time.Millisecond + time.Duration(i)*20*time.Millisecond/time.Duration(len(c.Handsets)))
				if wait := time.Until(due); wait > time.Millisecond {
					time.Sleep(wait)
				}
				at := (n + i*37) % frames * frame
				h.Media.Send(ulaw[at : at+frame])
			}
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// Wait waits until nobody talks.
func (c *Crowd) Wait() { c.talking.Wait() }

// Hangup ends every call.
func (c *Crowd) Hangup(ctx context.Context, t testing.TB) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for _, h := range c.Handsets {
		group.Go(func() error { return h.Hangup(ctx) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
