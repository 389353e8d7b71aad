package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"passerelle/cmd/internal/chorus"
	"passerelle/cmd/internal/guard"
	"passerelle/sip"
)

// run is one run of a plan.
type run struct {
	Plan
	began   time.Time
	chorus  *chorus.Chorus
	phones  []*sip.Server
	closing chan struct{} // who hangs up at once, at most so many
	watcher *watcher

	mu        sync.Mutex
	calls     []*Call
	voices    map[*chorus.Voice]*Call
	evidence  []evidence
	measured  bool // the books are in; who leaves now takes none
	progress  Progress
	timeline  []Sample
	peakPlace time.Duration // how long placing took
}

// evidence is what a listener of a call has kept.
type evidence struct {
	call *Call
	chorus.Evidence
}

// Progress is how far a run is.
type Progress struct {
	Phase                        string // "calling", "settling", "measuring", "hanging up", "listening"
	Elapsed, Left                time.Duration
	Placed, Up, Answered, Failed int
	HeldBack                     int // calls that were not placed, since as many as may be were up
	chorus.Count                     // of the sound
	SetUp50, SetUp99             float64
	Gateway, Generator           float64 // cores, over the last second; 0 where unknown
	Resident                     uint64  // bytes of the gateway's process
}

// hangupsAtOnce bounds the BYEs under way.
const hangupsAtOnce = 16

// Run does what the plan says, and returns when all is over, also when ctx ends it early. watch is told about four
// times a second how it goes; it must not block. An error is that the run could not be made; calls that fail are in
// the result.
func Run(ctx context.Context, p Plan, watch func(Progress)) (*Result, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	sound, err := chorus.NewSound(p.Kind, p.Speech, p.Noise)
	if err != nil {
		return nil, err
	}
	p.Network.Seed = p.Seed
	r := &run{Plan: p, began: time.Now(), closing: make(chan struct{}, hangupsAtOnce), voices: map[*chorus.Voice]*Call{}}
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	r.chorus, err = chorus.Start(chorus.Config{Address: netip.AddrPortFrom(local, 0), Sound: sound, Talkers: p.Talkers, Network: p.Network, Seed: p.Seed})
	if err != nil {
		return nil, fmt.Errorf("the phones' sound: %w", err)
	}
	hangUp, err := r.openPhones(ctx)
	if err != nil {
		return nil, errors.Join(err, r.chorus.Close())
	}
	r.watcher = newWatcher(p)
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() {
		err := guard.Root("watch", func() error { return r.look(watching, watch) })()
		if err != nil {
			r.Log.Error("watch", "error", err)
		}
	})
	result := r.do(ctx)
	stop()
	watched.Wait()
	if err := errors.Join(hangUp(), r.chorus.Close()); err != nil {
		return nil, err
	}
	return result, r.listen(result)
}

// openPhones starts a SIP server for each address to call from. What it returns ends them.
func (r *run) openPhones(ctx context.Context) (end func() error, err error) {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var served []chan error
	end = func() error {
		stop()
		var err error
		for _, s := range served {
			err = errors.Join(err, <-s)
		}
		return err
	}
	if r.Direct.IsValid() {
		return end, nil
	}
	plenty := sip.Limits{MessagesPerSecond: 1e6, AllMessagesPerSecond: 1e6, Connections: MostCalls, ConnectionsPerAddress: MostCalls}
	for i := range r.Sources {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)}), 0)
		server, err := sip.Listen(sip.Config{
			Listen: []sip.Listener{{Network: "udp", Addr: at}, {Network: "tcp", Addr: at}},
			Known:  func(netip.AddrPort) bool { return false }, UserAgent: "Passerelle sipload", Limits: plenty, Log: r.Log,
		})
		if err != nil {
			return nil, errors.Join(err, end())
		}
		done := make(chan error, 1)
		served = append(served, done)
		r.phones = append(r.phones, server)
		go func() {
			done <- guard.Root("SIP", func() error {
				return server.Serve(serving, sip.HandlerFunc(func(context.Context, *sip.Dialog) {}))
			})()
		}()
	}
	return end, nil
}

// do places the calls, measures, and hangs up.
func (r *run) do(ctx context.Context) *Result {
	calling, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var calls sync.WaitGroup
	place := func(n int) {
		r.update(func(p *Progress) { p.Placed++ })
		calls.Go(func() {
			if err := guard.Root("call", func() error { r.serve(calling, n); return nil })(); err != nil {
				r.Log.Error("call", "error", err)
				r.update(func(p *Progress) { p.Failed++ })
			}
		})
	}
	before := r.watcher.lookTidy()
	var from, to Look
	if r.Hold > 0 {
		r.phase("measuring", r.For)
		from = r.watcher.look()
		r.placeAtRate(ctx, int(r.Rate*r.For.Seconds()), place)
		to = r.watcher.look()
		to.Resident = r.watcher.lookTidy().Resident
		r.phase("ending", r.Hold)
		r.await(ctx, r.Hold+answerTime, func() bool { return len(r.calls) == r.progress.Placed })
	} else {
		r.phase("calling", time.Duration(float64(r.Calls)/r.Rate*float64(time.Second)))
		r.placeAtRate(ctx, r.Calls, place)
		r.await(ctx, answerTime, func() bool { return r.progress.Answered+r.progress.Failed >= r.progress.Placed })
		r.phase("settling", Settle)
		wait(ctx, Settle)
		r.chorus.Begin()
		r.phase("measuring", r.For)
		from = r.watcher.look()
		wait(ctx, r.For)
		to = r.watcher.look()
	}
	r.takeBooks()
	if r.Hold == 0 {
		to.Resident = r.watcher.lookTidy().Resident
	}
	count := r.chorus.Count()
	r.phase("hanging up", 0)
	hangUp()
	calls.Wait()
	r.phase("listening", 0)
	return r.sumUp(before, from, to, count)
}

// placeAtRate places n calls by the clock, come what may, but never more than may be up at once.
func (r *run) placeAtRate(ctx context.Context, n int, place func(int)) {
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(float64(i) / r.Rate * float64(time.Second)))
		if !wait(ctx, time.Until(due)) {
			return
		}
		r.mu.Lock()
		full := r.progress.Placed-len(r.calls) >= r.Calls
		if full {
			r.progress.HeldBack++
		}
		r.mu.Unlock()
		if !full {
			place(i)
		}
	}
	r.mu.Lock()
	r.peakPlace = time.Since(begin)
	r.mu.Unlock()
}

// answerTime is how long calls may take before they are given up.
const answerTime = 40 * time.Second

// await waits until something is so, which it asks under the lock, but not for ever.
func (r *run) await(ctx context.Context, patience time.Duration, so func() bool) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		r.mu.Lock()
		done := so()
		r.mu.Unlock()
		if done || !wait(ctx, 20*time.Millisecond) {
			return
		}
	}
}

// wait waits, and says whether ctx lives on.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// join notes that a call is up.
func (r *run) join(v *chorus.Voice, c *Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.voices[v] = c
	r.progress.Answered++
}

// leave takes a voice away, and its book where it counts.
func (r *run) leave(v *chorus.Voice, c *Call) {
	r.mu.Lock()
	measured := r.measured
	delete(r.voices, v)
	r.mu.Unlock()
	if measured {
		r.chorus.Remove(v)
		return
	}
	if v.Listen {
		e := r.chorus.Evidence(v)
		r.mu.Lock()
		r.evidence = append(r.evidence, evidence{c, e})
		r.mu.Unlock()
	}
	c.book = r.chorus.Remove(v)
}

// takeBooks takes everybody's book at one instant.
func (r *run) takeBooks() {
	books := r.chorus.Books()
	r.mu.Lock()
	voices := make(map[*chorus.Voice]*Call, len(r.voices))
	for v, c := range r.voices {
		voices[v] = c
		c.book = books[v]
	}
	r.measured = true
	r.mu.Unlock()
	for v, c := range voices {
		if v.Listen {
			r.evidence = append(r.evidence, evidence{c, r.chorus.Evidence(v)})
		}
	}
}

// record keeps what became of a call.
func (r *run) record(c *Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Error != "" {
		r.progress.Failed++
	}
	r.calls = append(r.calls, c)
}

func (r *run) update(f func(*Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.progress)
}

// phase begins another part of the run.
func (r *run) phase(name string, lasts time.Duration) {
	ends := time.Since(r.began) + lasts
	r.update(func(p *Progress) { p.Phase, p.Left = name, ends })
}

// look tells the watcher how it goes, and keeps a sample each second.
func (r *run) look(ctx context.Context, watch func(Progress)) error {
	const often, lookEvery = 250 * time.Millisecond, 4
	last := r.watcher.look()
	for n := 1; wait(ctx, often); n++ {
		count := r.chorus.Count()
		r.mu.Lock()
		r.progress.Count, r.progress.Elapsed, r.progress.Up = count, time.Since(r.began), len(r.voices)
		setUps := r.setUps()
		r.mu.Unlock()
		if n%lookEvery == 0 {
			now := r.watcher.look()
			r.sample(last, now)
			last = now
		}
		r.mu.Lock()
		p := r.progress
		r.mu.Unlock()
		p.Left = max(0, p.Left-p.Elapsed)
		p.SetUp50, p.SetUp99 = setUps.P50, setUps.P99
		if watch != nil {
			watch(p)
		}
	}
	return nil
}

// setUps are the times of those that are up or were. The lock is held.
func (r *run) setUps() Spread {
	all := make([]float64, 0, len(r.calls)+len(r.voices))
	for _, c := range r.voices {
		all = append(all, c.SetUp)
	}
	for _, c := range r.calls {
		if c.Answered {
			all = append(all, c.SetUp)
		}
	}
	slices.Sort(all)
	return spread(all)
}
