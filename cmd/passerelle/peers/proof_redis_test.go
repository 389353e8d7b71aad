//go:build peers

package peers

import (
	"slices"
	"testing"
	"time"

	"passerelle/rooms/meet/meettest"
)

// TestProofRedisRestarts has Redis killed under calls and started again ten seconds later, empty: calls go
// on, and whoever calls afterwards gets in, with a PIN too.
func TestProofRedisRestarts(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	hall := OpenVisio(t)
	gateway := StartGateway(t, dir, GatewayConfig{LiveKit: hall.Engines(), Untouched: true})
	circle := OpenCircle(t, dir, "lk-redis", hall.Server, 4, gateway.SIP)
	const pin = "0192837465"
	meeting := hall.AddMeeting(pin, meettest.Public)
	early := Call(t, dir, gateway, Dialling{Name: "early", Number: pin, Shows: "+33612340011"})
	before := names(t, hall, meeting, 1)
	circle.Hum(t)
	circle.AwaitBack(t, time.Now(), 20*time.Second)

	killed := time.Now()
	hall.Redis.Kill()
	time.Sleep(10 * time.Second) // the server ends the signalling after 7
	hall.Redis.Restart(t)
	returned := time.Now()
	judgeBack(t, "Redis", circle.AwaitBack(t, returned, 15*time.Second))
	time.Sleep(2 * time.Second)
	Stay(t, circle.Phones)
	hums := []Hum{circle.Humming}
	for _, h := range circle.Phones {
		hums = append(hums, h.Hum)
	}
	t.Logf("Redis was gone for %v; the longest that a phone did not hear somebody is %v", returned.Sub(killed).Round(time.Millisecond),
		LongestPause(t, circle.Phones, hums, killed, time.Now().Add(-100*time.Millisecond)).Round(time.Millisecond))

	circle.Enter(t, hall.Server) // the server has ended its signalling, and it does not come back by itself as browsers do
	late := circle.Dial(t, 4, gateway.SIP)
	circle.Hum(t)
	circle.AwaitBack(t, time.Now(), 20*time.Second)
	time.Sleep(1500 * time.Millisecond)
	circle.Judge(t, time.Now().Add(-1500*time.Millisecond), time.Now().Add(-100*time.Millisecond))
	guest := Call(t, dir, gateway, Dialling{Name: "guest", Number: pin, Shows: "+33612340022"})
	after := names(t, hall, meeting, 1) // the others have not changed since, and are not written down again
	t.Logf("after the return of Redis a call is answered within %v, and one with a PIN within %v: %v is in the meeting where %v was",
		late.Answered.Round(time.Millisecond), guest.Answered.Round(time.Millisecond), after, before)
	sentence := Sentence(t, dir, Man)
	began := early.Heard(t).Length()
	guest.Say(t, sentence)
	time.Sleep(500 * time.Millisecond)
	early.Heard(t).From(began).judge(t, sentence, Understood())
	for _, c := range []*Caller{early, guest} {
		c.Stays(t)
		c.Hangup(t)
	}
	circle.Hangup(t)
}

// names returns how the phones in a room are called, once there are so many.
func names(t *testing.T, hall *Hall, room string, n int) (names []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		names = nil
		for _, p := range calledPhones(hall.Members(t, room)) {
			names = append(names, p.GetName())
		}
		if slices.Sort(names); len(names) >= n {
			return names
		}
	}
	t.Errorf("in room %s are %v, want %d", room, names, n)
	return names
}
