//go:build peers

package peers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// surge calls so many times a second for ten seconds, come what may; each call lasts three seconds and says
// silence, so that a crowd of at most 150 is what the machine has to bear besides. They call ten rooms in turn,
// with a person in each.
func (b *loadBench) surge(t *testing.T, perSecond int) {
	const rooms = 10
	calls := perSecond * surgeSeconds
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	gateway := StartGateway(t, Folder(t), GatewayConfig{Calls: calls, LiveKit: b.hall.Engines()})
	tag := randomID()[:6]
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprintf("lk-%s-%d", tag, i)
	}
	StartPeople(t, b.hall, b.said.opus, names...)
	phones := StartExchange(t, gateway.SIP, b.said.ulaw)

	s := surge{PerSecond: perSecond, Seconds: surgeSeconds, Hold: surgeHold.Seconds()}
	var mu sync.Mutex // guards all below and the figures
	var setUp []time.Duration
	atOnce := 0
	call := func(i int) {
		l, err := phones.Dial(ctx, names[i%rooms], true)
		mu.Lock()
		if err != nil {
			if s.Failed++; s.Failed <= 3 {
				t.Log(err)
			}
			mu.Unlock()
			return
		}
		setUp = append(setUp, l.SetUp)
		atOnce++
		s.AtOnce = max(s.AtOnce, atOnce)
		mu.Unlock()
		time.Sleep(surgeHold)
		if err := phones.Hangup(ctx, l); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		atOnce--
	}
	var work sync.WaitGroup
	_, from := b.usage(t, gateway)
	profiled := b.profile(t, gateway, fmt.Sprintf("surge-%d", perSecond))
	begin := time.Now()
	for i := range calls {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
		work.Go(func() { call(i) })
	}
	work.Wait()
	<-profiled
	_, to := b.usage(t, gateway)
	if len(setUp) == 0 {
		t.Fatal("no call was answered")
	}
	slices.Sort(setUp)
	s.SetUp50, s.SetUp99, s.SetUpMost = millis(percentile(setUp, 50)), millis(percentile(setUp, 99)), millis(setUp[len(setUp)-1])
	s.CPU, s.Server = millis(to[0]-from[0])/float64(len(setUp)), millis(to[1]-from[1])/float64(len(setUp))
	t.Logf("%+v", s)
	b.report.Surges = append(b.report.Surges, s)
}
