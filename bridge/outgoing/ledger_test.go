package outgoing

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/bridge/numbers"
)

var paris = Call{By: API, Trunk: "operator", To: Read(numbers.Plan{Region: "FR"}, "0123456789")}

func rules(l, own Limits) Rules {
	return Rules{
		Who: []Who{API}, Regions: []string{"FR"}, Kinds: []Kind{Fixed, Phones}, Limits: l,
		Trunks: map[string]Limits{"operator": own}, Zone: time.UTC,
	}
}

func newLedger(t *testing.T, file string) (*Ledger, *Local) {
	t.Helper()
	store, err := NewLocal(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return NewLedger(store, slog.New(slog.DiscardHandler)), store
}

// TestAtOnce: of a hundred who try at the same moment, never more than the bound have a permit, and all of it is used.
func TestAtOnce(t *testing.T) {
	for _, test := range []struct {
		rule  string
		rules Rules
		key   string
	}{
		{"of all", rules(Limits{AtOnce: 3}, Limits{}), "outgoing.limits.at_once"},
		{"of a trunk", rules(Limits{AtOnce: 50}, Limits{AtOnce: 3}), "trunks[operator].limits.outgoing.at_once"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger, _ := newLedger(t, "")
				var up, most, begun atomic.Int32
				var tries sync.WaitGroup
				for i := range 100 {
					tries.Go(func() {
						time.Sleep(time.Duration(i%4) * time.Second)
						p, err := ledger.Begin(t.Context(), test.rules, paris)
						if err != nil {
							check(t, err, test.key)
							return
						}
						begun.Add(1)
						for now := up.Add(1); ; {
							if was := most.Load(); was >= now || most.CompareAndSwap(was, now) {
								break
							}
						}
						time.Sleep(1500 * time.Millisecond)
						up.Add(-1)
						p.End(t.Context())
					})
				}
				tries.Wait()
				if most.Load() != 3 || begun.Load() != 6 {
					t.Errorf("%d at once and %d in all, want 3 and 6", most.Load(), begun.Load())
				}
			})
		})
	}
}

// TestMinutes: of a hundred calls that would talk for an hour each, no more minutes are used than the day has, each call is
// ended when the minute it has is over, and calls that nobody answers cost none.
func TestMinutes(t *testing.T) {
	for _, test := range []struct {
		rule  string
		rules Rules
		key   string
	}{
		{"of all", rules(Limits{MinutesDay: 30}, Limits{}), "outgoing.limits.minutes_a_day"},
		{"of a trunk", rules(Limits{MinutesDay: 500}, Limits{MinutesDay: 30}), "trunks[operator].limits.outgoing.minutes_a_day"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger, _ := newLedger(t, "")
				for range 5 {
					p, err := ledger.Begin(t.Context(), test.rules, paris)
					check(t, err, "")
					p.End(t.Context())
				}
				var talked atomic.Int64
				var tries sync.WaitGroup
				for range 100 {
					tries.Go(func() {
						p, err := ledger.Begin(t.Context(), test.rules, paris)
						if err != nil {
							check(t, err, test.key)
							return
						}
						defer p.End(t.Context())
						began := time.Now()
						check(t, p.Count(t.Context()), test.key)
						talked.Add(int64(time.Since(began)))
					})
				}
				tries.Wait()
				if got := time.Duration(talked.Load()); got != 30*time.Minute {
					t.Errorf("they talked for %s, want 30 minutes", got)
				}
				_, err := ledger.Begin(t.Context(), test.rules, paris)
				check(t, err, test.key)
			})
		})
	}
}

// TestMidnight: a new day, in the zone that is said, has new minutes; and a call that is up then goes on with those.
func TestMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight of UTC
		zone := time.FixedZone("elsewhere", 3600) // one o'clock
		r := rules(Limits{MinutesDay: 60}, Limits{})
		r.Zone = zone
		ledger, store := newLedger(t, "")
		time.Sleep(22*time.Hour + 30*time.Minute) // 23:30
		p, err := ledger.Begin(t.Context(), r, paris)
		check(t, err, "")
		began := time.Now()
		check(t, p.Count(t.Context()), "outgoing.limits.minutes_a_day") // 30 minutes of yesterday's
		if got := time.Since(began); got != 90*time.Minute {
			t.Errorf("it lasted %s, want 90 minutes: 30 of a day and all 60 of the next", got)
		}
		p.End(t.Context())
		if used := store.days["2000-01-01"]["minutes"]; used != 30 {
			t.Errorf("%d minutes of the first day, want 30", used)
		}
	})
}

func TestLongest(t *testing.T) {
	for _, test := range []struct {
		rule     string
		all, own time.Duration
		want     time.Duration
		key      string
	}{
		{"of all", 5 * time.Minute, 0, 5 * time.Minute, "outgoing.limits.minutes_a_call"},
		{"of the trunk", 5 * time.Minute, 2 * time.Minute, 2 * time.Minute, "trunks[operator].limits.outgoing.minutes_a_call"},
		{"the trunk's own is no more than all", 5 * time.Minute, time.Hour, 5 * time.Minute, "outgoing.limits.minutes_a_call"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger, store := newLedger(t, "")
				p, err := ledger.Begin(t.Context(), rules(Limits{Longest: test.all}, Limits{Longest: test.own}), paris)
				check(t, err, "")
				began := time.Now()
				check(t, p.Count(t.Context()), test.key)
				p.End(t.Context())
				if got := time.Since(began); got != test.want || p.Longest != test.want {
					t.Errorf("it lasted %s of %s, want %s", got, p.Longest, test.want)
				}
				if used := store.days["2000-01-01"]["minutes"]; used != int(test.want/time.Minute) {
					t.Errorf("%d minutes are used", used)
				}
			})
		})
	}
}

// TestHungUp: who hangs up after ninety seconds has used two minutes, and its place is free.
func TestHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, store := newLedger(t, "")
		one := rules(Limits{AtOnce: 1}, Limits{})
		p, err := ledger.Begin(t.Context(), one, paris)
		check(t, err, "")
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := p.Count(ctx); err != nil {
			t.Error(err)
		}
		_, err = ledger.Begin(t.Context(), one, paris)
		check(t, err, "outgoing.limits.at_once")
		p.End(ctx) // which is over
		if used := store.days["2000-01-01"]; used["minutes"] != 2 || used["minutes/operator"] != 2 {
			t.Errorf("used: %v, want 2 minutes of each", used)
		}
		p, err = ledger.Begin(t.Context(), one, Call{By: API, To: Phone("2001")})
		check(t, err, "")
		p.End(t.Context())
	})
}

// TestAnsweredAndNotTalkedIn: a call that somebody has answered has used its minute, whether or not it came to a talk.
func TestAnsweredAndNotTalkedIn(t *testing.T) {
	ledger, store := newLedger(t, "")
	for _, answered := range []bool{false, true} {
		p, err := ledger.Begin(t.Context(), rules(Limits{}, Limits{}), paris)
		check(t, err, "")
		if answered {
			p.Answered()
		}
		p.End(t.Context())
		for _, day := range store.Minutes() {
			if used := day["minutes"]; used != map[bool]int{true: 1}[answered] {
				t.Errorf("answered %v: %d minutes used", answered, used)
			}
		}
	}
}

// TestForgottenPlaces: a place that nobody gives back, of a call that has crashed say, is not lost for ever.
func TestForgottenPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, _ := newLedger(t, "")
		one := rules(Limits{AtOnce: 1}, Limits{})
		_, err := ledger.Begin(t.Context(), one, paris)
		check(t, err, "")
		time.Sleep(lapse - time.Second)
		_, err = ledger.Begin(t.Context(), one, paris)
		check(t, err, "outgoing.limits.at_once")
		time.Sleep(time.Second)
		_, err = ledger.Begin(t.Context(), one, paris)
		check(t, err, "")
	})
}

// TestPhonesCostNothing: a call to a phone of ours takes a place and no minutes.
func TestPhonesCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, store := newLedger(t, "")
		p, err := ledger.Begin(t.Context(), rules(Limits{AtOnce: 1, MinutesDay: 1, Longest: time.Hour}, Limits{}), Call{By: API, To: Phone("2001")})
		check(t, err, "")
		check(t, p.Count(t.Context()), "outgoing.limits.minutes_a_call")
		p.End(t.Context())
		if len(store.days) != 0 {
			t.Errorf("used: %v, want nothing", store.days)
		}
	})
}

// TestRestart: the minutes of the day are known after a restart, those of days long gone are not.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "minutes.json")
		r := rules(Limits{MinutesDay: 10}, Limits{})
		for day := range 6 {
			ledger, store := newLedger(t, file)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- store.Run(ctx) }()
			talk := func(want time.Duration) {
				p, err := ledger.Begin(t.Context(), r, paris)
				check(t, err, "")
				ctx, cancel := context.WithTimeout(t.Context(), want)
				defer cancel()
				_ = p.Count(ctx)
				p.End(t.Context())
			}
			if day%2 == 0 {
				talk(6*time.Minute - time.Second)
			} else {
				talk(4*time.Minute - time.Second)
				_, err := ledger.Begin(t.Context(), r, paris)
				check(t, err, "outgoing.limits.minutes_a_day")
				time.Sleep(48 * time.Hour)
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if len(store.days) > daysKept {
				t.Errorf("%d days are remembered", len(store.days))
			}
		}
	})
}

func TestFileThatCannotBeRead(t *testing.T) {
	if _, err := NewLocal(t.TempDir(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("minutes that are not known are taken for none")
	}
}

// broken is a Store that cannot be asked while it is down.
type broken struct {
	*Local
	down atomic.Bool
}

func (b *broken) Take(ctx context.Context, c Claim) (string, error) {
	if b.down.Load() {
		return "", errors.New("connection refused")
	}
	return b.Local.Take(ctx, c)
}

// TestStoreDown: where the counters cannot be asked nothing new is called; calls that are up go on, and their minutes are
// counted later.
func TestStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, local := newLedger(t, "")
		store := &broken{Local: local}
		ledger := NewLedger(store, slog.New(slog.DiscardHandler))
		r := rules(Limits{Longest: 10 * time.Minute}, Limits{})
		p, err := ledger.Begin(t.Context(), r, paris)
		check(t, err, "")
		time.AfterFunc(150*time.Second, func() {
			store.down.Store(true)
			_, err := ledger.Begin(t.Context(), r, paris)
			check(t, err, "state")
		})
		time.AfterFunc(330*time.Second, func() { store.down.Store(false) })
		check(t, p.Count(t.Context()), "outgoing.limits.minutes_a_call")
		p.End(t.Context())
		if used := local.days["2000-01-01"]["minutes"]; used != 10 {
			t.Errorf("%d minutes are used, want 10", used)
		}
	})
}
