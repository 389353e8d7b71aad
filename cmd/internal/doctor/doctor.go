// Package doctor examines what a gateway needs: its configuration, this machine, the servers of its trunks, its phones, and
// where numbers go; it says what is wrong and what to do about it. It does not know how findings are shown, and
// changes nothing: what it registers it takes back.
//
// The way of [Doctor.Everything]: the ports and the gateway that runs (ports.go, running.go), this machine (ports.go, tls.go), then each
// trunk (trunk.go): what DNS says of its servers (resolve.go), an OPTIONS to each target (probe.go) whose outcome is read in
// options.go, tls.go, nat.go, codecs.go and size.go, and its registration (register.go); then the phones (phone.go).
package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/config"
)

// Config says what is examined, and with what.
type Config struct {
	Of       *config.Config
	Ask      Ask              // asks the running gateway
	Roots    *x509.CertPool   // whom this machine trusts; nil: as the system says
	Now      func() time.Time // this machine's clock
	Proc     string           // "/proc"
	Self     string           // what this program is called
	Agent    string           // what we call ourselves
	Patience time.Duration    // for an answer
	Call     *Call            // a test call to place over the trunk; nil: none
	Tell     func(Finding)    // takes the findings, in their order, from one goroutine at a time
}

// Doctor examines. It is used once.
type Doctor struct {
	Config
	system proc

	running running
	held    tenancy
}

// New returns a Doctor.
func New(c Config) *Doctor {
	return &Doctor{Config: c, system: proc(c.Proc), running: running{err: errNotAsked}}
}

// Everything examines the whole configuration and every trunk.
func (d *Doctor) Everything(ctx context.Context) {
	s := &sheet{about: "this machine"}
	d.look(ctx, s)
	calls := d.Of.Live.Limits.Calls
	d.media(s, calls)
	d.kernel(s, d.held, calls)
	for i := range d.Of.Static.Networks {
		d.own(s, i)
	}
	d.tell(s)
	if d.running.err == nil {
		s := &sheet{about: "strangers"}
		s.strangers(d.running.knocks, d.Now())
		d.tell(s)
	}
	if d.running.err == nil && d.Of.Static.Redis != nil {
		s := &sheet{about: "the other gateways"}
		d.gateways(ctx, s)
		d.tell(s)
	}
	var sheets []*sheet
	answers := make([]bool, len(d.Of.Live.Trunks))
	var group sync.WaitGroup
	for i := range d.Of.Live.Trunks {
		t := &d.Of.Live.Trunks[i]
		s := &sheet{about: "trunk " + t.Name}
		sheets = append(sheets, s)
		group.Go(func() { d.guarded(s, func() { answers[i] = d.reach(ctx, s, t, i) }) })
	}
	group.Wait()
	for i, s := range sheets {
		if t := &d.Of.Live.Trunks[i]; t.Register != nil { // one after the other: they need the same ports
			d.guarded(s, func() { d.registers(ctx, s, t, i, answers[i]) })
		}
		d.tell(s)
	}
	s = &sheet{about: "phones"}
	d.phones(s)
	d.tell(s)
}

// Trunk examines one trunk.
func (d *Doctor) Trunk(ctx context.Context, i int) {
	t := &d.Of.Live.Trunks[i]
	d.asked(ctx)
	s := &sheet{about: "trunk " + t.Name}
	answers := d.reach(ctx, s, t, i)
	if t.Register != nil {
		d.registers(ctx, s, t, i, answers)
	}
	d.tell(s)
	if d.Call != nil {
		s := &sheet{about: "test call"}
		d.call(ctx, s, t, i)
		d.tell(s)
	}
}

// look asks the gateway and looks at the ports.
func (d *Doctor) look(ctx context.Context, s *sheet) {
	for _, w := range d.Of.Warnings {
		s.warn("configuration: %s", w.String()).do("see docs/configuration.md; it is allowed, and probably not meant")
	}
	d.running = d.ask(ctx)
	d.held = d.ports(ctx, s, d.running.err == nil)
	s.gateway(d.running, d.held.gateway.pid != 0)
}

// asked is look where only one thing is examined: of this machine nothing is said but that no gateway can be asked.
func (d *Doctor) asked(ctx context.Context) {
	s := &sheet{about: "this machine"}
	d.look(ctx, s)
	s.findings = slices.DeleteFunc(s.findings, func(f Finding) bool { return f.Level == OK || strings.HasPrefix(f.What, "configuration: ") })
	d.tell(s)
}

// own judges the certificate of a network.
func (d *Doctor) own(s *sheet, i int) {
	n := &d.Of.Static.Networks[i]
	if n.TLS != nil {
		s.ownCertificate(*n.TLS, d.at("networks[%d].tls", i), advertised(n), d.Roots, d.Now())
	}
}

// at is the path of a setting, with the line that has it.
func (d *Doctor) at(format string, args ...any) string {
	path := fmt.Sprintf(format, args...)
	for upper := path; upper != ""; { // what is not said itself, is part of what is
		if origin := d.Of.Origin(upper); origin != "" && origin != "default" {
			return path + " (" + origin + ")"
		}
		upper = upper[:max(strings.LastIndexByte(upper, '.'), 0)]
	}
	return path
}

// guarded runs one examination; a panic in it is a finding.
func (d *Doctor) guarded(s *sheet, f func()) {
	if err := guard.Root("doctor", func() error { f(); return nil })(); err != nil {
		s.bad("the examination ended: %s", err).do("report it")
	}
}

func (d *Doctor) tell(s *sheet) {
	for _, f := range s.findings {
		d.Tell(f)
	}
}

// network returns one by its name.
func (d *Doctor) network(name string) *config.Network {
	all := d.Of.Static.Networks
	i := slices.IndexFunc(all, func(n config.Network) bool { return n.Name == name })
	return &all[i]
}

// certificate is what a network shows; nil if it has none that can be used.
func (d *Doctor) certificate(n *config.Network) *tls.Certificate {
	if n.TLS == nil {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(n.TLS.Cert, n.TLS.Key)
	if err != nil {
		return nil
	}
	return &pair
}

func advertised(n *config.Network) string {
	if n.Advertise.Addr.IsValid() {
		return n.Advertise.Addr.String()
	}
	return n.Advertise.Host
}

// families returns what an address stands for: the unspecified IPv6 address is the unspecified IPv4 address too.
func families(a netip.AddrPort) []netip.AddrPort {
	if a.Addr() == netip.IPv6Unspecified() {
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()), a}
	}
	return []netip.AddrPort{a}
}

func nobody(netip.AddrPort) bool { return false }

func newID() string { return strings.ToLower(rand.Text()) }
