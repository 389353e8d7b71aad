package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a Redis on paper, for one turn: with ways to it that are slow, or cut, and restarts that forget everything. It
// does what the script does.
type world struct {
	mu     sync.Mutex
	dice   *rand.Rand
	lease  time.Duration
	holder string
	until  time.Time
	began  time.Time
	away   map[string]bool
	slow   map[string]time.Duration // how long an answer takes at most, one way
}

// end is the world as one gateway has it.
type end struct {
	*world
	name string
}

var errCut = errors.New("cut")

func (e end) way(ctx context.Context) error {
	e.mu.Lock()
	delay := time.Duration(e.dice.Int64N(int64(e.slow[e.name] + 1)))
	e.mu.Unlock()
	time.Sleep(delay)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away[e.name] {
		return errCut
	}
	return ctx.Err()
}

func (e end) take(ctx context.Context, me string, surely bool) (int64, string, error) {
	if err := e.way(ctx); err != nil {
		return turnUnknown, "", err
	}
	whose, holder := e.script(me, surely)
	if err := e.way(ctx); err != nil {
		return turnUnknown, "", err
	}
	return whose, holder, nil
}

func (w *world) script(me string, surely bool) (int64, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch there := w.holder != "" && now.Before(w.until); {
	case there && w.holder != me:
		return turnTheirs, w.holder
	case !there && !surely && now.Sub(w.began) <= w.lease:
		return turnUnknown, ""
	}
	w.holder, w.until = me, now.Add(w.lease)
	return turnOurs, me
}

// restart has it forget everything.
func (w *world) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holder, w.began = "", time.Now()
}

// player is a gateway that takes turns as a trunk does.
func player(ctx context.Context, t *turn) {
	for {
		ours, err := t.Await(ctx)
		if err != nil {
			return
		}
		<-ours.Done()
	}
}

// TestNeverTwo plays four hours of three gateways whose ways to Redis are slow, or cut, and a Redis that is restarted, on virtual
// time: never two of them hold the turn, and in the quiet that follows one does.
func TestNeverTwo(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const lease = 6 * time.Second
				dice := rand.New(rand.NewPCG(seed, 1))
				w := &world{dice: dice, lease: lease, away: map[string]bool{}, slow: map[string]time.Duration{}, began: time.Now().Add(-time.Hour)}
				ctx, stop := context.WithCancel(t.Context())
				var all []*turn
				var group sync.WaitGroup
				for _, name := range []string{"a", "b", "c"} {
					c := New(Config{Name: name, Lease: lease})
					defer c.client.Close()
					k := &turn{Cluster: c, lease: end{w, name}}
					all = append(all, k)
					group.Go(func() { player(ctx, k) })
				}
				holders := func() (names []string) {
					for _, k := range all {
						if k.Holds() {
							names = append(names, k.config.Name)
						}
					}
					return names
				}
				changes := 0
				last := ""
				for range 4 * 60 * 60 {
					w.mu.Lock()
					name := all[dice.IntN(3)].config.Name
					trouble := dice.IntN(40)
					switch trouble {
					case 0:
						w.away[name] = !w.away[name]
					case 1:
						w.slow[name] = time.Duration(dice.Int64N(int64(2 * lease)))
					case 2, 3, 4:
						w.slow[name], w.away[name] = 0, false
					}
					restart, pause := trouble == 5 && dice.IntN(10) == 0, time.Duration(dice.Int64N(int64(time.Second/100)))
					w.mu.Unlock()
					if restart {
						w.restart()
					}
					time.Sleep(time.Second + pause)
					synctest.Wait()
					now := holders()
					if len(now) > 1 {
						t.Fatalf("%v hold it at once", now)
					}
					if len(now) == 1 && now[0] != last {
						last = now[0]
						changes++
					}
				}
				w.mu.Lock()
				clear(w.away)
				clear(w.slow)
				w.mu.Unlock()
				time.Sleep(4 * lease)
				synctest.Wait()
				if now := holders(); len(now) != 1 {
					t.Errorf("%v hold it in the end, want one", now)
				}
				if changes < 10 {
					t.Errorf("it changed hands %d times: nothing was tried", changes)
				}
				stop()
				group.Wait()
				for _, k := range all {
					k.tasks.Wait()
				}
			})
		})
	}
}

// TestTurnsInRedis has three gateways take turns at a real Redis.
func TestTurnsInRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	var nodes []*node
	var turns []*turn
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for _, name := range []string{"a", "b", "c"} {
		n := open(t, server.Addr, name, nil)
		k := n.Turns("carrier").(*turn)
		n.begin(t)
		nodes, turns = append(nodes, n), append(turns, k)
		group.Go(func() { player(ctx, k) })
	}
	twice := make(chan string, 1)
	group.Go(func() {
		for ctx.Err() == nil {
			if now := holding(turns); len(now) > 1 {
				select {
				case twice <- fmt.Sprint(now):
				default:
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	one := func(what string) *turn {
		t.Helper()
		await(t, what, func() bool { return len(holding(turns)) == 1 })
		return turns[slices.IndexFunc(turns, func(k *turn) bool { return k.Holds() })]
	}
	first := one("one has it")

	// Its holder sleeps for longer than it lasts.
	first.asking.Lock()
	await(t, "another one has it", func() bool { now := holding(turns); return len(now) == 1 && now[0] != first.config.Name })
	first.asking.Unlock()
	if err := first.Still(ctx); !errors.Is(err, errLost) {
		t.Errorf("who slept is told %v, want that it is lost", err)
	}
	second := one("the other one keeps it")
	time.Sleep(1500 * time.Millisecond)
	if now := one("nothing changes"); now != second {
		t.Errorf("%s has it after %s, and nothing was wrong", now.config.Name, second.config.Name)
	}

	// Redis is killed, and comes back empty: who had it has it, or nobody for a while.
	server.Kill()
	await(t, "all know", func() bool { return nodes[0].log.count("redis is away") > 0 && len(holding(turns)) == 0 })
	if second.Still(ctx) != nil || second.lost == nil {
		t.Error("the caretaker gives up")
	}
	server.Restart(t)
	one("one has it again")
	time.Sleep(1200 * time.Millisecond)
	select {
	case now := <-twice:
		t.Errorf("%s held it at once", now)
	default:
	}
}

func holding(turns []*turn) (names []string) {
	for _, k := range turns {
		if k.Holds() {
			names = append(names, k.config.Name)
		}
	}
	return names
}

// TestPass has the turn go from one to the other, who knows what to take back.
func TestPass(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	a, b := open(t, server.Addr, "a", nil), open(t, server.Addr, "b", nil)
	at, bt := a.Turns("carrier").(*turn), b.Turns("carrier").(*turn)
	a.begin(t)
	b.begin(t)
	await(t, "they know each other", func() bool { return a.others() == 1 && b.others() == 1 })
	ctx := t.Context()
	turn, err := at.Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if others := at.Registered(ctx, "sip:x@a"); len(others) != 0 {
		t.Errorf("the first one finds %q", others)
	}
	next := make(chan []string, 1)
	go func() {
		_, _ = bt.Await(ctx)
		next <- bt.Registered(ctx, "sip:x@b")
	}()
	if !at.Pass(ctx) || turn.Err() == nil || at.Holds() {
		t.Errorf("a has passed it on: turn %v, holds %v", turn.Err(), at.Holds())
	}
	if others := <-next; !slices.Equal(others, []string{"sip:x@a"}) {
		t.Errorf("b finds %q to take back", others)
	}
	if _, err := at.take(ctx); err != nil || at.Holds() {
		t.Errorf("a has it again, %v", err)
	}
	a.stop()
	await(t, "a is gone", func() bool { return b.others() == 0 })
	if bt.Pass(ctx) {
		t.Error("b has passed it to nobody")
	}
}
