package trunk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/sip"
	"passerelle/sip/digest"
)

// baton is a turn that goes round among gateways in one process.
type baton struct {
	mu       sync.Mutex
	holder   string
	lost     context.CancelFunc
	free     chan struct{} // receives when it may be taken
	contacts map[string]string
	next     chan struct{} // closed when whoever has it now has registered
}

func newBaton() *baton {
	b := &baton{free: make(chan struct{}, 1), contacts: map[string]string{}}
	b.free <- struct{}{}
	return b
}

// hand is the baton as one gateway sees it.
type hand struct {
	*baton
	name string
}

func (h hand) Await(ctx context.Context) (context.Context, error) {
	select {
	case <-h.free:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	turn, lost := context.WithCancel(ctx)
	h.holder, h.lost, h.next = h.name, lost, make(chan struct{})
	return turn, nil
}

func (h hand) Still(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holder != h.name {
		return errors.New("it is " + h.holder + "'s turn")
	}
	return nil
}

func (h hand) Registered(_ context.Context, contact string) (others []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.contacts[h.name] = contact
	for name, c := range h.contacts {
		if name != h.name {
			others = append(others, c)
		}
	}
	select {
	case <-h.next:
	default:
		close(h.next)
	}
	return others
}

func (h hand) Pass(context.Context) bool {
	h.mu.Lock()
	mine := h.holder == h.name
	if mine {
		h.holder = ""
		h.free <- struct{}{}
	}
	h.mu.Unlock()
	if !mine {
		return true
	}
	time.Sleep(time.Second)
	h.mu.Lock()
	next, taken := h.next, h.holder != ""
	h.mu.Unlock()
	if !taken {
		return false
	}
	<-next
	return true
}

// steal gives the turn to nobody, as if its holder had slept.
func (b *baton) steal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holder = ""
	b.lost()
	b.free <- struct{}{}
}

// book is a registrar with one account: who is bound, and what happened to it.
type book struct {
	mu    sync.Mutex
	bound []string
	log   []string
}

// asker is how one gateway reaches the book.
type asker struct {
	*book
	name string
}

func (a asker) Ask(_ context.Context, q sip.Ask) (sip.Reply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	contact := "sip:" + q.Contact + "@" + a.name
	for _, h := range q.Headers {
		if h.Name == "Contact" {
			contact = strings.Trim(h.Value, "<>")
		}
	}
	a.bound = slices.DeleteFunc(a.bound, func(b string) bool { return b == contact })
	if q.Headers[0].Value != "0" {
		a.bound = append(a.bound, contact)
	}
	a.log = append(a.log, fmt.Sprintf("%s: %s %s, bound %d", a.name, strings.TrimPrefix(contact, "sip:4711@"), q.Headers[0].Value, len(a.bound)))
	listed := map[string][]string{}
	for _, b := range a.bound {
		listed["contact"] = append(listed["contact"], "<"+b+">;expires=3600")
	}
	r := sip.NewReply(200, "OK", listed)
	r.CSeq, r.Contact = q.CSeq+1, "sip:"+q.Contact+"@"+a.name
	return r, nil
}

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		rule string
		play func(b *baton, stop map[string]func())
		want []string // the last two gateways leave, a first
	}{
		{"one alone, and the other when it leaves", func(*baton, map[string]func()) {}, []string{
			"a: a 3600, bound 1",
			"b: b 3600, bound 2", "b: a 0, bound 1", // b first, and then a is taken back
			"b: b 0, bound 0",
		}},
		{"the other leaves first", func(_ *baton, stop map[string]func()) { stop["b"]() }, []string{
			"a: a 3600, bound 1",
			"a: a 0, bound 0",
		}},
		{"a turn that is lost", func(b *baton, _ map[string]func()) { b.steal(); time.Sleep(time.Second) }, []string{
			"a: a 3600, bound 1",
			"b: b 3600, bound 2", "b: a 0, bound 1",
			"b: b 0, bound 0",
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var registrar book
				baton := newBaton()
				stop := make(map[string]func())
				for _, name := range []string{"a", "b"} {
					k := New(Config{
						Name: "carrier", Servers: []string{"sip:registrar"}, Turns: hand{baton, name},
						Register: &Registration{User: "4711", Keys: digest.NewKeyring("4711", "secret"), Expires: time.Hour},
					}, asker{&registrar, name})
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan struct{})
					go func() { k.Run(ctx); close(ended) }()
					stop[name] = func() { cancel(); <-ended }
					time.Sleep(time.Minute)
				}
				c.play(baton, stop)
				for _, name := range []string{"a", "b"} {
					stop[name]()
				}
				if !slices.Equal(registrar.log, c.want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(registrar.log, "\n"), strings.Join(c.want, "\n"))
				}
			})
		})
	}
}

// TestNoTurnNoRegister has a gateway wake up whose turn is over without its knowing.
func TestNoTurnNoRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var registrar book
		baton := newBaton()
		k := New(Config{
			Name: "carrier", Servers: []string{"sip:registrar"}, Turns: hand{baton, "a"},
			Register: &Registration{User: "4711", Keys: digest.NewKeyring("4711", "secret"), Expires: time.Hour},
		}, asker{&registrar, "a"})
		go k.Run(t.Context())
		time.Sleep(time.Minute)
		baton.mu.Lock()
		baton.holder = "b" // and a's context does not end
		baton.mu.Unlock()
		time.Sleep(2 * time.Hour)
		if len(registrar.log) != 1 {
			t.Errorf("it registered: %q", registrar.log)
		}
	})
}
