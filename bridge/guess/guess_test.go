package guess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"passerelle/config/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is what PINs open: one of them does. It notes when wrong ones were tried.
type door struct {
	guard *Guard

	mu    sync.Mutex
	wrong []time.Time
}

func newDoor() *door { return &door{guard: New(Config{})} }

// try tries a PIN in a call of its own, and returns how long that took.
func (d *door) try(t *testing.T, who Caller, right bool) time.Duration {
	t.Helper()
	v := d.guard.Visit(who)
	defer v.End()
	return d.tryIn(t, v, right)
}

func (d *door) tryIn(t *testing.T, v *Visit, right bool) time.Duration {
	t.Helper()
	began := time.Now()
	got, err := v.Try(t.Context(), func(context.Context) (bool, error) {
		if !right {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wrong = append(d.wrong, time.Now())
		}
		return right, nil
	})
	if err != nil || got != right {
		t.Errorf("got %v, %v, want %v", got, err, right)
	}
	return time.Since(began)
}

// busiestMinute is how many wrong PINs were tried in the minute that had most.
func (d *door) busiestMinute() int {
	slices.SortFunc(d.wrong, time.Time.Compare)
	most := 0
	for i, from := range d.wrong {
		n := 0
		for _, at := range d.wrong[i:] {
			if at.Sub(from) < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

var here = netip.MustParseAddr("192.0.2.7")

// operator is somebody who calls from an untrusted trunk.
func operator(number string) Caller { return Caller{Trunk: "operator", Source: here, Number: number} }

// desk is somebody who calls from a trusted trunk.
func desk(number string) Caller {
	return Caller{Trusted: true, Trunk: "pbx", Source: here, Number: number}
}

// TestAThousandGuesses holds that no minute has more than twenty of them, whoever guesses, and however.
func TestAThousandGuesses(t *testing.T) {
	for _, test := range []struct {
		rule string
		who  func(i int) Caller // of guess i
	}{
		{"numbers withheld", func(int) Caller { return operator("") }},
		{"one number, many calls", func(int) Caller { return operator("+33199000123") }},
		{"a number for each guess", func(i int) Caller { return operator(fmt.Sprint("+331990", 10000+i)) }},
		{"from everywhere", func(i int) Caller {
			return Caller{Trunk: fmt.Sprint("trunk", i%7), Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}
		}},
		{"behind a PBX that is trusted", func(i int) Caller { return desk(fmt.Sprint(i)) }},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor()
				began := time.Now()
				var scripts sync.WaitGroup
				const atOnce = 50
				for script := range atOnce {
					scripts.Go(func() {
						time.Sleep(time.Duration(script) * 77 * time.Millisecond)
						for i := range 1000 / atOnce {
							d.try(t, test.who(script*100+i), false)
						}
					})
				}
				scripts.Wait()
				if n := d.busiestMinute(); n > 20 || n < 15 {
					t.Errorf("%d guesses in one minute", n)
				}
				t.Logf("%d guesses took %v, %d in the busiest minute", len(d.wrong), time.Since(began), d.busiestMinute())
			})
		})
	}
}

// TestLimits holds the bound for others than twenty, from one on.
func TestLimits(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 4, 7, 60, 200} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &door{guard: New(Config{AMinute: func() int { return limit }})}
				var scripts sync.WaitGroup
				for script := range 40 {
					scripts.Go(func() {
						for range max(1, limit/8) {
							d.try(t, Caller{Trunk: "x", Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(script)})}, false)
						}
					})
				}
				scripts.Wait()
				if n := d.busiestMinute(); n > limit {
					t.Errorf("%d in one minute", n)
				}
			})
		})
	}
}

// TestTheInnocentGetIn is one attacker and fifty others behind one number, who have the right PIN.
func TestTheInnocentGetIn(t *testing.T) {
	for _, number := range []string{"+33123456700", ""} {
		t.Run("number "+number, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor()
				ctx, stop := context.WithCancel(t.Context())
				var attacker, others sync.WaitGroup
				attacker.Go(func() {
					for ctx.Err() == nil {
						v := d.guard.Visit(operator(number))
						for range 3 {
							_, _ = v.Try(ctx, func(context.Context) (bool, error) { return false, nil })
						}
						v.End()
					}
				})
				time.Sleep(10 * time.Minute)
				var mu sync.Mutex
				var took []time.Duration
				for range 50 {
					others.Go(func() {
						waited := d.try(t, operator(number), true)
						mu.Lock()
						defer mu.Unlock()
						took = append(took, waited)
					})
				}
				others.Wait()
				stop()
				attacker.Wait()
				if worst := slices.Max(took); len(took) != 50 || worst > 15*time.Second {
					t.Errorf("%d of 50 got in, the last after %v", len(took), worst)
				}
				t.Logf("50 of 50 got in, the last after %v", slices.Max(took))
			})
		})
	}
}

// TestAFloodWaitsBehindItself has five hundred calls of one attacker at once, and somebody who calls from elsewhere, or
// with another number.
func TestAFloodWaitsBehindItself(t *testing.T) {
	for rule, who := range map[string]Caller{
		"another number": operator("+33123456701"),
		"another trunk":  {Trunk: "other", Source: netip.MustParseAddr("198.51.100.1")},
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor()
				ctx, stop := context.WithCancel(t.Context())
				var flood sync.WaitGroup
				for range 500 {
					flood.Go(func() {
						v := d.guard.Visit(operator("+33199000123"))
						defer v.End()
						for ctx.Err() == nil {
							_, _ = v.Try(ctx, func(context.Context) (bool, error) { return false, nil })
						}
					})
				}
				time.Sleep(5 * time.Minute)
				if took := d.try(t, who, true); took > 10*time.Second {
					t.Errorf("who is somebody else waits for %v", took)
				}
				stop()
				flood.Wait()
			})
		})
	}
}

// TestNobodyIsOvertakenForEver has new numbers that come all the time, and one caller who was wrong once.
func TestNobodyIsOvertakenForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		ctx, stop := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		flood.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				flood.Go(func() {
					v := d.guard.Visit(operator(fmt.Sprint("+331990", 10000+i)))
					defer v.End()
					call, hangUp := context.WithTimeout(ctx, 20*time.Second)
					defer hangUp()
					_, _ = v.Try(call, func(context.Context) (bool, error) { return false, nil })
				})
				time.Sleep(100 * time.Millisecond)
			}
		})
		time.Sleep(time.Minute)
		v := d.guard.Visit(operator("+33123456701"))
		defer v.End()
		for _, right := range []bool{false, true} {
			if took := d.tryIn(t, v, right); took > 40*time.Second {
				t.Errorf("right: %v, it took %v", right, took)
			}
		}
		stop()
		flood.Wait()
	})
}

// TestALockedCaller holds how long a caller with a number of its own waits, that the right PIN opens all the same, and
// that it is forgotten.
func TestALockedCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		who := operator("+33199000123")
		for i, bounds := range [][2]time.Duration{
			{1, 1}, {1, 2}, {1, 2}, {4, 10}, {8, 18}, {16, 34}, {32, 66}, {32, 66}, {32, 66},
		} {
			if took := d.try(t, who, false); took < bounds[0]*time.Second || took > bounds[1]*time.Second {
				t.Errorf("wrong PIN %d took %v, want %d s to %d s", i+1, took, bounds[0], bounds[1])
			}
		}
		if took := d.try(t, operator("+33199000124"), true); took > slowMost {
			t.Errorf("another number took %v", took)
		}
		if took := d.try(t, who, true); took < longestGap || took > 3*longestGap {
			t.Errorf("the right PIN took %v", took)
		}
		time.Sleep(callerMemory + time.Minute)
		if took := d.try(t, who, true); took != 0 {
			t.Errorf("an hour later it took %v", took)
		}
	})
}

// TestASharedNumberIsNotLocked holds that two calls at once of a number are two callers, also later.
func TestASharedNumberIsNotLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		who := operator("+33123456700")
		one, two := d.guard.Visit(who), d.guard.Visit(who)
		two.End()
		one.End()
		for range 6 {
			d.try(t, who, false)
		}
		time.Sleep(time.Minute)
		if took := d.try(t, who, true); took > slowMost {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTrustedTrunksAreNotHeldUpByOthers holds that a trusted trunk has a minute of its own, and that no number of it is locked.
func TestTrustedTrunksAreNotHeldUpByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		for range 4 { // as many as may come at once, and one more than locks a number elsewhere
			d.try(t, desk("2001"), false)
		}
		if took := d.try(t, desk("2001"), true); took > time.Second {
			t.Errorf("whoever was wrong four times behind a PBX waited for %v", took)
		}
		var strangers sync.WaitGroup
		defer strangers.Wait()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		for i := range 100 {
			strangers.Go(func() {
				_, _ = d.guard.Visit(operator(fmt.Sprint("+331990", 10000+i))).Try(ctx, func(context.Context) (bool, error) { return false, nil })
			})
		}
		time.Sleep(10 * time.Second)
		if took := d.try(t, desk("2002"), true); took > time.Second {
			t.Errorf("while strangers guess, a desk waited for %v", took)
		}
	})
}

// TestRightPINsCostNothing holds that a hundred callers with the right PIN come in at once, and that trouble is no guess.
func TestRightPINsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{guard: New(Config{AMinute: func() int { return 1 }})}
		for i := range 100 {
			if took := d.try(t, operator(fmt.Sprint(i)), true); took != 0 {
				t.Fatalf("caller %d waited for %v", i, took)
			}
			onFire := errors.New("on fire")
			if _, err := d.guard.Visit(operator("")).Try(t.Context(), func(context.Context) (bool, error) { return false, onFire }); !errors.Is(err, onFire) {
				t.Fatalf("got %v", err)
			}
		}
	})
}

// TestWhoHangsUpHasHadItsTurn holds that a guess is not had again by hanging up before the answer, and that one who gives up
// waiting leaves the line.
func TestWhoHangsUpHasHadItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		tries := 0
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			ctx, hangUp := context.WithTimeout(t.Context(), 200*time.Millisecond)
			v := d.guard.Visit(operator(""))
			_, _ = v.Try(ctx, func(ctx context.Context) (bool, error) {
				tries++
				<-ctx.Done()
				return false, ctx.Err()
			})
			v.End()
			hangUp()
		}
		if tries > 201 {
			t.Errorf("%d tries in ten minutes", tries)
		}
	})
}

// TestARestartForgivesNobody holds that the file has all that is needed, and no number.
func TestARestartForgivesNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guesses.json")
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		who := operator("+33199000123")
		served := func(act func(d *door)) {
			m := OpenMemory(file, log)
			ctx, stop := context.WithCancel(t.Context())
			var run sync.WaitGroup
			run.Go(func() {
				if err := m.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			act(&door{guard: New(Config{Counters: m, Log: log})})
			stop()
			run.Wait()
		}
		served(func(d *door) {
			for range 6 {
				d.try(t, who, false)
			}
		})
		served(func(d *door) {
			if took := d.try(t, who, true); took < longestGap {
				t.Errorf("after a restart it waits for %v, want %v or more", took, longestGap)
			}
		})
		served(func(d *door) { // the minute, too
			for i := range 25 {
				go d.try(t, operator(fmt.Sprint("+3319900", 1000+i)), false)
			}
			time.Sleep(10 * time.Second)
		})
		served(func(d *door) {
			if took := d.try(t, operator("+33199009999"), true); took == 0 {
				t.Error("after a restart the minute is a new one")
			}
			time.Sleep(5 * time.Minute)
		})
		kept, err := readMemory(state.File{Path: file})
		if err != nil || len(kept.Counters) == 0 {
			t.Fatalf("%d counters, %v", len(kept.Counters), err)
		}
		for name := range kept.Counters {
			if strings.Contains(name, "3319900") {
				t.Errorf("a number is kept: %s", name)
			}
		}
	})
}

// TestItIsToldOnceAMinute holds what the log says.
func TestItIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &door{guard: New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})}
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			d.try(t, operator("+33199000123"), false)
		}
		if n := strings.Count(log.String(), "PINs are guessed"); n < 3 || n > 11 || strings.Contains(log.String(), "33199000123") {
			t.Errorf("it is told %d times:\n%s", n, &log)
		}
	})
}
