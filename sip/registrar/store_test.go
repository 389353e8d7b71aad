package registrar_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/sip/registrar"
	"passerelle/sip/registrar/registrartest"
)

func TestStoreInMemory(t *testing.T) {
	var m registrartest.Memory
	registrartest.Contract(t, m.Of("a"), m.Of("b"))
}

// pair is two gateways with one Store.
type pair struct {
	registrartest.Memory
	a, b *registrar.Registrar
}

func newPair() *pair {
	p := &pair{}
	p.a = registrar.New(registrar.Config{Store: p.Of("a")})
	p.b = registrar.New(registrar.Config{Store: p.Of("b")})
	return p
}

// register sends a REGISTER of phone 2001 and returns the contacts of the answer.
func (p *pair) register(r *registrar.Registrar, cseq uint32, expires string, contacts ...string) string {
	a := r.Register(registrar.Register{
		Phone: "2001", CallID: "call", CSeq: cseq, Contacts: contacts, Expires: expires, Direct: true, Outbound: true,
		Flow: registrar.Flow{Network: "tcp", Remote: netip.MustParseAddrPort("192.0.2.7:5060"), Local: netip.MustParseAddrPort("192.0.2.1:5060")},
	})
	return fmt.Sprint(a.Code, " ", strings.Join(a.Contacts, " "))
}

// where says where a gateway sees the phone: the contacts, by device.
func where(r *registrar.Registrar) string {
	var all []string
	for _, ways := range r.Devices("2001") {
		var device []string
		for _, b := range ways {
			device = append(device, strings.TrimPrefix(b.Contact+"@"+b.Gateway, "sip:"))
		}
		all = append(all, strings.Join(device, " then "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestTwoGateways(t *testing.T) {
	const desk, soft = "<sip:desk>", "<sip:soft>"
	flow := func(contact, id string) string { return contact + `;+sip.instance="<urn:x>";reg-id=` + id }
	for _, c := range []struct {
		rule string
		play func(t *testing.T, p *pair)
		a, b string // where they see the phone in the end
	}{
		{"one knows of the other's", func(_ *testing.T, p *pair) { p.register(p.a, 1, "", desk) }, "desk@", "desk@a"},
		{"the answer lists them all", func(t *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			time.Sleep(time.Second)
			if got := p.register(p.b, 2, "", soft); got != "200 <sip:soft>;expires=3600 <sip:desk>;expires=3599" {
				t.Error(got)
			}
		}, "desk@, soft@b", "desk@a, soft@"},
		{"a phone moves", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			time.Sleep(time.Second)
			p.register(p.b, 2, "", desk)
		}, "desk@b", "desk@"},
		{"and back", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			p.register(p.b, 2, "", desk)
			p.register(p.a, 3, "", desk)
		}, "desk@", "desk@a"},
		{"it leaves elsewhere", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk, soft)
			p.register(p.b, 2, "0", desk)
		}, "soft@", "soft@a"},
		{"all of it leaves", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			p.register(p.b, 2, "", soft)
			p.register(p.b, 3, "0", "*")
		}, "", ""},
		{"an old request is old elsewhere too", func(t *testing.T, p *pair) {
			p.register(p.a, 5, "", desk)
			if got := p.register(p.b, 4, "", desk); got != "500 " {
				t.Error(got)
			}
		}, "desk@", "desk@a"},
		{"one device with a flow to each", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", flow(desk, "1"))
			p.register(p.b, 2, "", flow(desk, "2"))
		}, "desk@ then desk@b", "desk@ then desk@a"},
		{"alone while the store is away", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			p.SetAway(true)
			p.register(p.b, 2, "", soft)
		}, "desk@", "soft@"},
		{"told when it is back, and empty", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", desk)
			p.SetAway(true)
			p.register(p.b, 2, "", soft)
			p.SetAway(false)
			p.Clear()
			p.a.ShareAll()
			p.b.ShareAll()
			synctest.Wait()
		}, "desk@, soft@b", "desk@a, soft@"},
		{"a connection is lost", func(_ *testing.T, p *pair) {
			p.register(p.a, 1, "", flow(desk, "1"))
			p.a.Lost(registrar.Flow{Network: "tcp", Remote: netip.MustParseAddrPort("192.0.2.7:5060")})
			synctest.Wait()
		}, "", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				go p.a.Share(t.Context())
				go p.b.Share(t.Context())
				c.play(t, p)
				if a, b := where(p.a), where(p.b); a != c.a || b != c.b {
					t.Errorf("a sees it at %q, b at %q; want %q and %q", a, b, c.a, c.b)
				}
			})
		})
	}
}

// TestClocksApart has a phone move to a gateway whose clock is behind.
func TestClocksApart(t *testing.T) {
	p := newPair()
	p.register(p.a, 1, "", "<sip:desk>")
	all, _ := p.Of("a").Load("2001")
	all[0].Updated = all[0].Updated.Add(10 * time.Second)
	p.Of("a").Save("2001", all)
	p.register(p.b, 2, "", "<sip:desk>")
	if got := where(p.b); got != "desk@" {
		t.Errorf("b sees it at %q, want its own", got)
	}
}

func TestAtHomeElsewhere(t *testing.T) {
	p := newPair()
	p.register(p.a, 1, "", "<sip:desk>")
	if !p.b.At("2001", netip.MustParseAddr("192.0.2.7")) || p.b.At("2001", netip.MustParseAddr("192.0.2.8")) {
		t.Error("b does not know where the phone is")
	}
}
