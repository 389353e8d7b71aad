package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/sip"
	"passerelle/sip/trunk"
)

// onLines is a configuration on free ports with lines of its own.
func onLines(lines ...string) string {
	return fmt.Sprintf(onLoopback, free, free, free) + strings.Join(lines, "\n") + "\n"
}

// TestPhonesAndTrunksWithoutARestart has two houses, one of which is the carrier of the other: the phone 4711 of the first is the trunk of
// the second. What their files say of it changes while they serve.
func TestPhonesAndTrunksWithoutARestart(t *testing.T) {
	t.Parallel()
	there, carrier := followerOf(t, onLines())
	at := there.phones[0].server.Addrs()[0].Addr.String()
	here, gateway := followerOf(t, onLines())

	phone := func(password string) string { return "phones: [{user: 4711, password: " + password + "}]" }
	carried := func(password string) string {
		return strings.Replace(onLines(), "trunks: [", fmt.Sprintf(
			`trunks: [{name: carrier, servers: ["sip:%s"], health: off, register: {user: 4711, password: %s}}, `, at, password), 1)
	}
	change := func(h *house, file, text string) {
		t.Helper()
		write(t, file, text)
		if _, err := h.adopt(); err != nil {
			t.Fatal(err)
		}
	}
	bindings := func(n int) func() bool { return func() bool { return there.desks.Stats().Bindings == n } }
	registered := func() bool { return here.inForce.Load().trunks()["carrier"].Registered }

	change(here, gateway, carried("none"))
	until(t, "whoever has no phones says so", func() bool { return strings.HasPrefix(here.inForce.Load().trunks()["carrier"].Why, "405") })
	change(there, carrier, onLines(phone("one")))
	change(here, gateway, carried("one"))
	until(t, "a new trunk registers with a new phone's account", func() bool { return bindings(1)() && registered() })

	before := here.inForce.Load().lines
	change(here, gateway, carried("one")+"log: {level: warn}\n")
	if now := here.inForce.Load().lines; len(now) != 1 || now[0] != before[0] {
		t.Error("a trunk that has not changed is another")
	}

	change(there, carrier, onLines(phone("two")))
	if !bindings(0)() {
		t.Error("a phone that has another password is where it was")
	}
	change(here, gateway, carried("two"))
	until(t, "the trunk registers with its new password", func() bool { return bindings(1)() && registered() })

	change(here, gateway, onLines())
	until(t, "a trunk that is gone takes its registration back", bindings(0))
	if here.inForce.Load().serverOf(there.phones[0].server.Addrs()[0].Addr.Addr()) != "" {
		t.Error("its server is still known")
	}

	change(here, gateway, carried("two"))
	until(t, "it is back", bindings(1))
	change(there, carrier, onLines())
	if !bindings(0)() || there.devices("4711") != nil {
		t.Error("a phone that is gone is called")
	}
}

// slowCarrier grants every registration, half a second after it was asked.
type slowCarrier struct {
	name string
	said chan<- string
}

func (c slowCarrier) Ask(_ context.Context, a sip.Ask) (sip.Reply, error) {
	c.said <- c.name + " asks for " + a.Headers[0].Value
	time.Sleep(500 * time.Millisecond)
	c.said <- c.name + " has it"
	return sip.NewReply(200, "OK", nil), nil
}

// TestATrunkWaitsForItsPredecessor changes a trunk: the registration of the old one is taken back before the new one's is asked for,
// or it would take that with it.
func TestATrunkWaitsForItsPredecessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(chan string, 10)
		made := func(name string) []*line {
			return []*line{{Trunk: trunk.New(trunk.Config{
				Name: "carrier", Servers: []string{"sip:a"}, Register: &trunk.Registration{User: "4711", Expires: time.Hour},
			}, slowCarrier{name, said})}}
		}
		l := newLines(quiet())
		l.run(t.Context())
		l.change(made("old"))
		time.Sleep(time.Second)
		l.change(made("new"))
		time.Sleep(2 * time.Second)
		l.leave()
		close(said)
		want := []string{"old asks for 3600", "old has it", "old asks for 0", "old has it", "new asks for 3600", "new has it", "new asks for 0", "new has it"}
		var got []string
		for s := range said {
			got = append(got, s)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
