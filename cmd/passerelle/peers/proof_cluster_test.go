//go:build peers

package peers

import (
	"strings"
	"testing"
	"time"

	"passerelle/rooms/livekit/livekittest"
)

// cluster is two LiveKit nodes with one Redis, a gateway at each, and Kamailio in front of both.
type cluster struct {
	nodes    []*livekittest.Server
	gateways []*Gateway
	balancer *Balancer
	circle   *Circle
}

// clusterDrain is what calls get when a gateway of the cluster is told to end.
const clusterDrain = 8 * time.Second

// TestProofCluster has six phones and a member of one room spread over all of it: everybody hears everybody.
// Then one gateway is drained, comes back, and is killed.
func TestProofCluster(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	c := &cluster{nodes: livekittest.Cluster(t, 2, livekittest.Options{Redis: livekittest.StartRedis(t)})}
	for i, node := range c.nodes {
		engines := &LiveKit{URL: node.URL().String(), Key: node.Key, Secret: node.Secret}
		c.gateways = append(c.gateways, StartGateway(t, Sub(t, dir, []string{"a", "b"}[i]), GatewayConfig{LiveKit: engines, Drain: clusterDrain, Untouched: true}))
	}
	c.balancer = StartBalancer(t, dir, c.gateways...)
	c.circle = OpenCircle(t, dir, "lk-cluster", c.nodes[1], 6, c.balancer.SIP)
	// One after the other, in one test: whoever calls in one stays for the next.
	for _, proof := range []func(*testing.T, *cluster){everybodyHears, gatewayDrained, gatewayKilled} {
		if proof(t, c); t.Failed() {
			return // what follows builds on it
		}
	}
	c.circle.Hangup(t)
}

// everybodyHears looks at who hears whom, by hums and by speech.
func everybodyHears(t *testing.T, c *cluster) {
	circle := c.circle
	at := [2][]*Hummer{circle.At(c.gateways[0]), circle.At(c.gateways[1])}
	if len(at[0]) != 3 || len(at[1]) != 3 {
		t.Fatalf("of 6 calls one gateway has %d and the other %d, want 3 and 3", len(at[0]), len(at[1]))
	}
	AwaitAttendance(t, c.nodes[0], circle.Room, 6, 2, 5*time.Second)
	circle.Hum(t)
	began := time.Now()
	backs := circle.AwaitBack(t, began, 20*time.Second)
	t.Logf("everybody hears everybody %v after they began to hum", max(backs.Down, backs.Up, backs.Across).Round(time.Millisecond))
	time.Sleep(2 * time.Second)
	circle.Judge(t, time.Now().Add(-2*time.Second), time.Now())
	circle.Hush()
	time.Sleep(500 * time.Millisecond)
	circle.Speak(t, Sentence(t, circle.dir, Woman), at[0][0], at[1][0], nil)
	Stay(t, circle.Phones)
}

// gatewayDrained has the first gateway told to end: it keeps its calls for as long as it may, and new ones go
// to the other.
func gatewayDrained(t *testing.T, c *cluster) {
	circle, drained, other := c.circle, c.gateways[0], c.gateways[1]
	its := circle.At(drained)
	circle.Hum(t)
	circle.AwaitBack(t, time.Now(), 20*time.Second)
	told := time.Now()
	drained.Terminate(t)
	late := []*Hummer{circle.Dial(t, 6, c.balancer.SIP), circle.Dial(t, 7, c.balancer.SIP)} // before Kamailio knows, too
	circle.Hum(t)
	c.balancer.AwaitOut(t, drained, 5*time.Second)
	t.Logf("Kamailio takes the drained gateway out %v after SIGTERM; calls made meanwhile are answered within %v by the other",
		time.Since(told).Round(time.Millisecond), max(late[0].Answered, late[1].Answered).Round(time.Millisecond))
	for _, h := range append(late, circle.Dial(t, 8, c.balancer.SIP)) {
		if !h.isAt(other) {
			t.Errorf("%s is not at the gateway that takes calls", h.Name)
		}
	}
	circle.Hum(t)
	circle.HangUpAndForget(t, its[0])
	its = its[1:]
	circle.AwaitBack(t, time.Now(), 5*time.Second)
	time.Sleep(time.Until(told.Add(clusterDrain - 300*time.Millisecond)))
	Stay(t, circle.Phones)
	circle.Judge(t, time.Now().Add(-1500*time.Millisecond), time.Now().Add(-100*time.Millisecond))

	for _, h := range its {
		h.AwaitBye(t, 8*time.Second)
		circle.Forget(h)
	}
	t.Logf("the drained gateway ends its last call %v after SIGTERM; it may after %v", time.Since(told).Round(time.Millisecond), clusterDrain)
	drained.AwaitDrained(t, 10*time.Second)
	AwaitAttendance(t, c.nodes[0], circle.Room, 6, 1, 3*time.Second)
	Stay(t, circle.Phones)
	drained.Again(t)
	c.balancer.AwaitIn(t, drained, 5*time.Second)
}

// gatewayKilled has the first gateway killed under its calls: the other's calls lose nothing, the room loses
// whoever is gone, and their phones get in by the other.
func gatewayKilled(t *testing.T, c *cluster) {
	circle, victim, other := c.circle, c.gateways[0], c.gateways[1]
	for _, place := range []int{1, 3, 5} { // those who were at it before
		h := circle.Dial(t, place, c.balancer.SIP)
		if !h.isAt(victim) {
			circle.HangUpAndForget(t, h) // the next turn is the other's
			h = circle.Dial(t, place, c.balancer.SIP)
		}
		if !h.isAt(victim) {
			t.Fatalf("two calls in a row are at one gateway, and none at the one that came back")
		}
	}
	its, others := circle.At(victim), circle.At(other)
	AwaitAttendance(t, c.nodes[0], circle.Room, len(its)+len(others), 2, 5*time.Second)
	circle.Hum(t)
	circle.AwaitBack(t, time.Now(), 20*time.Second)
	before := make(map[*Hummer]Account)
	for _, h := range others {
		before[h] = h.Media.Account()
	}

	killed := time.Now()
	victim.Kill(t)
	for _, h := range its {
		circle.Forget(h)
		again := circle.Dial(t, h.place, c.balancer.SIP)
		if !again.isAt(other) {
			t.Errorf("%s is not at the gateway that lives", again.Name)
		}
		t.Logf("%s dials again and is answered within %v", again.Name, again.Answered.Round(time.Millisecond))
	}
	circle.Hum(t)
	backs := circle.AwaitBack(t, killed, 20*time.Second)
	t.Logf("everybody hears everybody again %v after the kill", max(backs.Down, backs.Up, backs.Across).Round(time.Millisecond))
	c.balancer.AwaitOut(t, victim, 5*time.Second)

	AwaitAttendance(t, c.nodes[0], circle.Room, len(its)+len(others), 1, departure)
	gone := time.Since(killed)
	t.Logf("the killed gateway's participants are out of the room %v after the kill, and no other is there twice", gone.Round(100*time.Millisecond))
	lostNothing(t, circle, others, before, killed)
	circle.Judge(t, time.Now().Add(-1500*time.Millisecond), time.Now().Add(-100*time.Millisecond))
	Stay(t, circle.Phones)
}

// departure is how long LiveKit keeps whoever has gone without a word: 15 s until ICE has failed, and 5 s more.
const departure = 25 * time.Second

// lostNothing fails the test unless phones went on hearing each other and the member since a moment.
func lostNothing(t *testing.T, c *Circle, phones []*Hummer, before map[*Hummer]Account, since time.Time) {
	t.Helper()
	hums := []Hum{c.Humming}
	for _, h := range phones {
		hums = append(hums, h.Hum)
	}
	var figures []string
	for _, h := range phones {
		was, is := before[h], h.Media.Account()
		if lost := is.Missing - was.Missing + is.Duplicate - was.Duplicate + is.Late - was.Late + is.Strange - was.Strange; lost != 0 {
			t.Errorf("%s: %v; before: %v", h.Name, is, was)
		}
		figures = append(figures, is.Longest.Round(time.Millisecond).String())
	}
	pause := LongestPause(t, phones, hums, since, time.Now().Add(-100*time.Millisecond))
	t.Logf("the other gateway's phones lose no packet; the longest gaps between two are %s; the longest that one did not hear another is %v",
		strings.Join(figures, ", "), pause.Round(time.Millisecond))
	if pause > longestPause {
		t.Errorf("a phone of the other gateway did not hear somebody for %v", pause)
	}
}
