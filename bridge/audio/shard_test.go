package audio

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/codec"
)

// writer is a codec.Writer of one function.
type writer func(*codec.Frame) error

func (w writer) WriteFrame(f *codec.Frame) error { return w(f) }

func TestCatchUp(t *testing.T) {
	for _, test := range []struct {
		rule string
		late time.Duration
		want int64
	}{
		{"in time", 0, 100},
		{"a little late", 19 * ms, 100},
		{"three ticks late are caught up", 79 * ms, 100},
		{"a fourth is skipped", 80 * ms, 101},
		{"a second is skipped but for three ticks", time.Second, 147},
		{"early", -20 * ms, 100},
	} {
		s := plainEngine(1).shards[0]
		if got := s.catchUp(100, s.due(100)+test.late); got != test.want {
			t.Errorf("%s: tick %d, want %d", test.rule, got, test.want)
		}
		if got := int64(s.skipped.load()); got != test.want-100 {
			t.Errorf("%s: %d skipped, want %d", test.rule, got, test.want-100)
		}
	}
}

func TestRunKeepsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEngine(Config{Shards: 3})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()

		began := time.Now()
		var (
			mu     sync.Mutex
			at     []time.Duration
			stamps []uint32
			stall  atomic.Bool
		)
		m := e.NewMix("room")
		p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Up: &sink{}, Down: writer(func(f *codec.Frame) error {
			mu.Lock()
			at = append(at, time.Since(began))
			stamps = append(stamps, f.Timestamp)
			mu.Unlock()
			if stall.CompareAndSwap(true, false) {
				time.Sleep(250 * ms)
			}
			return nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		p.Join(m)
		time.Sleep(time.Second + ms)
		synctest.Wait()
		mu.Lock()
		if len(at) < 49 || len(at) > 51 {
			t.Errorf("%d packets in a second", len(at))
		}
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] != tickLength || stamps[i]-stamps[i-1] != 160 {
				t.Errorf("packet %d: %v and %d later, want 20 ms and 160", i, at[i]-at[i-1], stamps[i]-stamps[i-1])
			}
		}
		phase := at[0] % tickLength
		mu.Unlock()

		stall.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		mu.Lock()
		last := len(at) - 1
		if at[last]%tickLength != phase {
			t.Error("a stall moved the clock")
		}
		if want := uint32((at[last] - at[0]) / tickLength * 160); stamps[last] != want {
			t.Errorf("after a stall the timestamp is %d, want %d", stamps[last], want)
		}
		mu.Unlock()
		s := e.Stats()
		if s.Skipped != 8 { // 250 ms are 12 ticks: one in time again, three caught up
			t.Errorf("%d ticks skipped, want 8", s.Skipped)
		}
		if s.Late[0] == 0 || s.Late[lateClasses-1] == 0 || s.Busy < 250*ms || s.Mixes != 1 || s.Phones != 1 {
			t.Errorf("statistics: %+v", s)
		}

		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if !errors.Is(m.Err(), ErrStopped) {
			t.Errorf("the open mix ended with %v, want %v", m.Err(), ErrStopped)
		}
		afterStop(t, e, p)
	})
}

// afterStop checks that nothing waits for shards that have ended.
func afterStop(t *testing.T, e *Engine, p *Phone) {
	t.Helper()
	m := e.NewMix("late")
	<-m.Done()
	if !errors.Is(m.Err(), ErrStopped) {
		t.Errorf("a mix of a stopped engine ended with %v", m.Err())
	}
	<-m.Play(Sound{}).Done()
	<-p.Play(Sound{}).Done()
	track := m.AddTrack("late")
	track.PushFrame(&codec.Frame{Payload: []byte{8}})
	track.Close()
	p.Join(m)
	p.Close()
	m.Close()
}

func TestRunSurvivesItsOwnPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		began := time.Now()
		e := NewEngine(Config{Shards: 1, Clock: func() time.Duration {
			if broken.CompareAndSwap(true, false) {
				panic("clock")
			}
			return time.Since(began)
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		line := &sink{}
		p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Down: line})
		if err != nil {
			t.Fatal(err)
		}
		p.Join(e.NewMix("room"))
		time.Sleep(500 * ms)
		broken.Store(true)
		time.Sleep(500 * ms)
		synctest.Wait()
		if line.frames < 49 {
			t.Errorf("%d packets in a second with a panic in it", line.frames)
		}
		stop()
		<-ended
	})
}

func TestShardsAreEvenlyLoaded(t *testing.T) {
	e := plainEngine(2)
	for range 10 {
		e.NewMix("room")
	}
	for i, s := range e.shards {
		if n := s.load.Load(); n != 5 {
			t.Errorf("shard %d has %d of 10 mixes", i, n)
		}
	}
}

func TestMailboxKeepsOrder(t *testing.T) {
	var b mailbox
	var got []int
	for i := range 5 {
		b.post(func(*shard) { got = append(got, i) })
	}
	for l := b.empty(); l != nil; l = l.next {
		l.do(nil)
	}
	if b.empty() != nil {
		t.Error("an emptied box has letters")
	}
	for i, n := range got {
		if i != n {
			t.Fatalf("read in order %v", got)
		}
	}
	b.post(func(*shard) {})
	if b.seal() == nil {
		t.Error("the last letter is lost")
	}
	if b.post(func(*shard) {}) {
		t.Error("a sealed box took a letter")
	}
}
