// Package registrartest has a [registrar.Store] in memory, and the contract that every one keeps.
package registrartest

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/sip/registrar"
)

// Memory is a Store of several gateways in one process.
type Memory struct {
	mu     sync.Mutex
	away   bool
	phones map[string]map[string]registrar.Binding
}

// SetAway has it answer with errors, or no longer.
func (m *Memory) SetAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

// Clear has it forget everything.
func (m *Memory) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phones = nil
}

// Of returns the Store as a gateway has it.
func (m *Memory) Of(gateway string) registrar.Store { return desk{m, gateway} }

type desk struct {
	*Memory
	gateway string
}

var errAway = errors.New("away")

func (d desk) Load(phone string) ([]registrar.Binding, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, errAway
	}
	var all []registrar.Binding
	for _, b := range d.phones[phone] {
		if b.Gateway == d.gateway {
			b.Gateway = ""
		}
		all = append(all, b)
	}
	return all, nil
}

func (d desk) Save(phone string, changed []registrar.Binding) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return errAway
	}
	if d.phones == nil {
		d.phones = make(map[string]map[string]registrar.Binding)
	}
	if d.phones[phone] == nil {
		d.phones[phone] = make(map[string]registrar.Binding)
	}
	for _, b := range changed {
		if b.Gateway = cmp.Or(b.Gateway, d.gateway); b.Updated.Before(d.phones[phone][b.Key()].Updated) {
			continue
		}
		d.phones[phone][b.Key()] = b
	}
	return nil
}

// Contract proves that Stores of two gateways, which are empty, are one.
func Contract(t *testing.T, a, b registrar.Store) {
	t.Helper()
	now := time.Now().Round(0)
	binding := func(contact string, after time.Duration) registrar.Binding {
		return registrar.Binding{
			Contact: contact, Path: []string{"sip:proxy.example;lr"}, NAT: true, Q: 1000, CallID: "call", CSeq: 7, Agent: "Desk",
			Flow:    registrar.Flow{Network: "udp", Remote: netip.MustParseAddrPort("192.0.2.7:5060"), Local: netip.MustParseAddrPort("[2001:db8::1]:5060")},
			Updated: now.Add(after), Expires: now.Add(time.Hour),
		}
	}
	save := func(s registrar.Store, phone string, changed ...registrar.Binding) {
		t.Helper()
		if err := s.Save(phone, changed); err != nil {
			t.Fatalf("save: %v", err)
		}
	}
	holds := func(s registrar.Store, phone, want string) {
		t.Helper()
		all, err := s.Load(phone)
		var got []string
		for _, b := range all {
			got = append(got, fmt.Sprintf("%s@%q+%v gone=%v", b.Contact, b.Gateway, b.Updated.Sub(now), b.Gone))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", phone, strings.Join(got, " "), err, want)
		}
	}
	holds(a, "2001", "")
	save(a, "2001", binding("sip:1@desk", 0), binding("sip:2@desk", 0))
	holds(a, "2001", `sip:1@desk@""+0s gone=false sip:2@desk@""+0s gone=false`)
	holds(b, "2001", `sip:1@desk@"a"+0s gone=false sip:2@desk@"a"+0s gone=false`)
	holds(b, "2002", "")
	if all, err := b.Load("2001"); err == nil {
		i := slices.IndexFunc(all, func(b registrar.Binding) bool { return b.Contact == "sip:1@desk" })
		if want := binding("sip:1@desk", 0); i < 0 || all[i].Flow != want.Flow || !all[i].NAT || !all[i].Expires.Equal(want.Expires) || all[i].Path[0] != want.Path[0] {
			t.Errorf("loaded %+v, want %+v", all, want)
		}
	}

	// The later one counts, whoever comes last.
	save(b, "2001", binding("sip:1@desk", 2*time.Second))
	save(a, "2001", binding("sip:1@desk", time.Second))
	gone := binding("sip:2@desk", time.Nanosecond)
	gone.Gone = true
	save(b, "2001", gone)
	holds(a, "2001", `sip:1@desk@"b"+2s gone=false sip:2@desk@"b"+1ns gone=true`)

	// What has expired may be forgotten, and the rest not.
	old := binding("sip:3@desk", 0)
	old.Expires = now.Add(-time.Second)
	save(a, "2001", old, binding("sip:4@desk", 0))
	all, err := b.Load("2001")
	if err != nil || !slices.ContainsFunc(all, func(b registrar.Binding) bool { return b.Contact == "sip:4@desk" }) {
		t.Errorf("%+v, %v: without what has not expired", all, err)
	}
}
