//go:build peers

package peers

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/rooms/livekit/livekittest"
	"passerelle/rooms/roomstest"
)

// People are the WebRTC participants of the load: each publishes speech all the time, and hears everybody in
// its room as a browser would. One goroutine speaks for all of them.
type People struct {
	all   []roomstest.Person
	heard []atomic.Int64 // packets
	quit  chan struct{}
	work  sync.WaitGroup
}

// StartPeople brings one person into each room, and they talk until the test ends.
func StartPeople(t testing.TB, hall *Hall, says [][]byte, rooms ...string) *People {
	t.Helper()
	p := &People{heard: make([]atomic.Int64, len(rooms)), quit: make(chan struct{})}
	for _, room := range rooms {
		p.all = append(p.all, livekittest.Join(t, hall.Server, room, "Publisher", livekittest.JoinOptions{}))
	}
	for i, person := range p.all {
		p.work.Go(func() { p.listen(person, &p.heard[i]) }) // ends with quit
	}
	p.work.Go(func() { p.speak(says) })
	t.Cleanup(func() {
		close(p.quit)
		p.work.Wait()
	})
	return p
}

func (p *People) listen(person roomstest.Person, heard *atomic.Int64) {
	for {
		select {
		case _, ok := <-person.Heard():
			if !ok {
				return
			}
			heard.Add(1)
		case <-p.quit:
			return
		}
	}
}

// speak has everybody say the next packet, spread over its 20 ms.
func (p *People) speak(says [][]byte) {
	const talking = 20 // -dBov
	begin := time.Now()
	for n := 0; ; n++ {
		for i, person := range p.all {
			due := begin.Add(time.Duration(n)*20*time.Millisecond + time.Duration(i)*20*time.Millisecond/time.Duration(len(p.all)))
			if wait := time.Until(due); wait > time.Millisecond {
				time.Sleep(wait)
			}
			_ = person.Speak(says[(n+i*37)%len(says)], talking)
		}
		select {
		case <-p.quit:
			return
		default:
		}
	}
}

// Heard returns how many packets all of them heard so far.
func (p *People) Heard() (packets int) {
	for i := range p.heard {
		packets += int(p.heard[i].Load())
	}
	return packets
}
