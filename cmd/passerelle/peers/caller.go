package peers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/codec/score"
	"passerelle/codec/wav"
)

// Caller is somebody at a handset of ours: silent until told to speak, pressing keys as RFC 4733 says, and
// hearing all that comes. Many of them are cheap.
type Caller struct {
	*Handset
	Name     string
	Answered time.Duration // how long the INVITE took to its 200

	dir     string
	orders  chan order
	stop    context.CancelFunc
	talking sync.WaitGroup
	began   time.Time // when the call was up
	hungUp  bool
	idle    atomic.Pointer[[]byte] // what is sent while nothing is said; silence where it is nil
}

// order is something to send, 20 ms after 20 ms; done is closed when it was.
type order struct {
	ulaw []byte
	keys string
	done chan struct{}
}

// Dialling is how a caller calls.
type Dialling struct {
	Name    string   // of the caller, for messages
	Number  string   // what is dialled: a room, a PIN, a number
	Shows   string   // the caller's own number
	Headers []string // whole lines for the INVITE
	// Through is where the INVITE is sent; the gateway itself where it is not set.
	Through netip.AddrPort
}

// Call has somebody call, and returns when the call is up. It is hung up, if nobody did, at the test's end.
func Call(t testing.TB, dir string, gateway *Gateway, d Dialling) *Caller {
	t.Helper()
	c, err := TryCall(t, dir, gateway, d)
	if err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	return c
}

// TryCall is Call for a call that may be refused.
func TryCall(t testing.TB, dir string, gateway *Gateway, d Dialling) (*Caller, error) {
	t.Helper()
	if !d.Through.IsValid() {
		d.Through = gateway.SIP
	}
	h, err := NewHandset(Loopback(), d.Through, d.Number)
	if err != nil {
		return nil, err
	}
	t.Cleanup(h.Close)
	h.Shows, h.Headers, h.Media.KeepSound = d.Shows, d.Headers, true
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if err := h.Call(ctx); err != nil {
		return nil, err
	}
	c := &Caller{Handset: h, Name: d.Name, Answered: time.Since(began), began: time.Now(), dir: Sub(t, dir, d.Name), orders: make(chan order)}
	ctx, c.stop = context.WithCancel(context.Background())
	c.talking.Go(func() { c.send(ctx) })
	t.Cleanup(func() { c.forget(t) })
	return c, nil
}

// forget ends what a test has left, and keeps what was heard for whoever looks why.
func (c *Caller) forget(t testing.TB) {
	c.stop()
	c.talking.Wait()
	if t.Failed() {
		c.Heard(t)
	}
	select {
	case <-c.Ended():
	default:
		if !c.hungUp {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = c.Handset.Hangup(ctx)
		}
	}
}

// send is the goroutine of Call: one packet every 20 ms. forget and Hangup wait for it.
func (c *Caller) send(ctx context.Context) {
	silence := encodedSilence()
	due := time.Now()
	next := func() bool { // a phone's clock does not stand still when this machine is busy
		due = due.Add(20 * time.Millisecond)
		time.Sleep(time.Until(due))
		return ctx.Err() == nil
	}
	for next() {
		select {
		case o := <-c.orders:
			for at := 0; at+len(silence) <= len(o.ulaw) && next(); at += len(silence) {
				c.Media.Send(o.ulaw[at : at+len(silence)])
			}
			c.press(o.keys, silence, next)
			close(o.done)
		default:
			if idle := c.idle.Load(); idle != nil {
				c.Media.Send(*idle)
				continue
			}
			c.Media.Send(silence)
		}
	}
}

// press has each key down for 100 ms, and 100 ms of silence after it.
func (c *Caller) press(keys string, silence []byte, next func() bool) {
	const frames, frame = 5, 160
	for _, key := range keys {
		event := byte(strings.IndexRune("0123456789*#ABCD", key))
		for i := range uint32(frames) {
			if !next() {
				return
			}
			c.Media.SendEvent(event, i*frame, i == frames-1)
		}
		for range frames {
			if !next() {
				return
			}
			c.Media.Send(silence)
		}
	}
}

// encodedSilence is 20 ms of it in mu-law.
func encodedSilence() []byte {
	silence := make([]byte, 160)
	for i := range silence {
		silence[i] = 0xff
	}
	return silence
}

// Press presses keys, and returns when the last is up.
func (c *Caller) Press(t testing.TB, keys string) { t.Helper(); c.do(t, order{keys: keys}) }

// Say speaks, and returns when all is said.
func (c *Caller) Say(t testing.TB, s Speech) {
	t.Helper()
	ulaw, err := os.ReadFile(s.Raw("ulaw"))
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	c.do(t, order{ulaw: ulaw})
}

func (c *Caller) do(t testing.TB, o order) {
	t.Helper()
	o.done = make(chan struct{})
	select {
	case c.orders <- o:
		<-o.done
	case <-c.Ended():
		t.Errorf("%s cannot speak or press keys: the gateway has hung up", c.Name)
	}
}

// Hangup ends the call.
func (c *Caller) Hangup(t testing.TB) {
	t.Helper()
	c.stop()
	c.talking.Wait()
	c.hungUp = true
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Handset.Hangup(ctx); err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
}

// AwaitBye waits until the gateway hangs up.
func (c *Caller) AwaitBye(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case <-c.Ended():
	case <-time.After(within):
		c.Heard(t)
		t.Fatalf("%s is not hung up on within %v", c.Name, within)
	}
}

// Stays fails the test if the gateway has hung up.
func (c *Caller) Stays(t testing.TB) {
	t.Helper()
	select {
	case <-c.Ended():
		t.Errorf("%s was hung up on", c.Name)
	default:
	}
}

// Lasts returns how long the call has been up.
func (c *Caller) Lasts() time.Duration { return time.Since(c.began) }

// Heard returns what the caller has heard so far, and keeps it in the test's folder.
func (c *Caller) Heard(t testing.TB) Recording {
	t.Helper()
	r := Recording{Who: c.Name, Path: filepath.Join(c.dir, "heard.wav"), PCM: c.pcm(t)}
	f, err := os.Create(r.Path)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	defer f.Close()
	if err := wav.Write(f, r.PCM, score.Rate); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return r
}

func (c *Caller) pcm(t testing.TB) []int16 {
	t.Helper()
	_, received := c.Media.Packets()
	_, pcm, err := unroll(c.Media.began, received)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return pcm
}

// AwaitHears waits until a sound, such as a prompt, has been heard to its end, after from of the recording,
// and returns where in the recording that end is.
func (c *Caller) AwaitHears(t testing.TB, what string, pcm []int16, from, within time.Duration) (end time.Duration) {
	t.Helper()
	looked := int(from * score.Rate / time.Second) // up to here it was not, not even its beginning
	for deadline := time.Now().Add(within); ; {
		heard := c.pcm(t)
		looked = max(0, min(looked, len(heard)))
		if len(heard)-looked >= len(pcm) {
			var begin int
			var there bool
			quietly(func() { begin, there = spot(pcm, heard[looked:]) })
			if there && looked+begin+len(pcm) <= len(heard)+score.Rate/10 {
				return duration(looked + begin + len(pcm))
			}
			looked = max(looked, len(heard)-len(pcm)-score.Rate)
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-c.Ended():
			t.Fatalf("%s is hung up on before it hears %s (%s)", c.Name, what, c.Heard(t).Path)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not hear %s within %v (%s)", c.Name, what, within, c.Heard(t).Path)
		}
	}
}

// String is who it is, for messages.
func (c *Caller) String() string { return fmt.Sprintf("%s (dialled %s)", c.Name, c.Number) }
