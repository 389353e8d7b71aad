package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"passerelle/config"
	"passerelle/sip/locate"
)

// reach examines the way to a trunk: every target of every server.
// It reports whether any of them answers.
func (d *Doctor) reach(ctx context.Context, s *sheet, t *config.Trunk, at int) (answers bool) {
	if len(t.Servers) == 0 {
		d.inbound(s, t, at)
		return false
	}
	d.told(s, t)
	n := d.network(t.Network)
	var addrs, silent []netip.Addr
	tried := make(map[locate.Target]bool)
	for i, uri := range t.Servers {
		setting := d.at("trunks[%d].servers[%d]", at, i)
		var tries []*try
		var group sync.WaitGroup
		for _, target := range s.resolve(ctx, uri, n, setting) {
			if target.Err != nil || tried[target] {
				continue
			}
			tried[target] = true
			addrs = append(addrs, target.Addr.Addr())
			one := &try{sheet: sheet{about: s.about}, target: target}
			tries = append(tries, one)
			group.Go(func() {
				d.guarded(&one.sheet, func() { one.answered = d.target(ctx, &one.sheet, examination{t, n, at, uri, setting}, target) })
			})
		}
		group.Wait()
		for _, one := range tries {
			s.findings = append(s.findings, one.findings...)
			if !one.answered {
				silent = append(silent, one.target.Addr.Addr())
			}
		}
	}
	d.accepted(s, t, at, addrs, silent)
	return len(silent) < len(addrs)
}

// try is what is found out about one target.
type try struct {
	sheet
	target   locate.Target
	answered bool
}

// examination is what one target is looked at for.
type examination struct {
	trunk   *config.Trunk
	network *config.Network
	at      int    // of the trunk
	uri     string // of the server
	setting string // that names it
}

// target sends an OPTIONS to one target, and reads all that can be read from what becomes of it; false where nothing comes back.
func (d *Doctor) target(ctx context.Context, s *sheet, e examination, target locate.Target) (answered bool) {
	p := d.probe(e, target)
	o := p.run(ctx)
	us := or(advertised(e.network), "this machine's address")
	if o.local.IsValid() && advertised(e.network) == "" {
		us = o.local.Addr().String()
	}
	answered = s.reached(target, o, e.setting, us)
	if o.secure != nil {
		s.ok("%s speaks %s", target, spokenWith(*o.secure))
		s.chain(target.String(), p.name, o.secure.PeerCertificates, d.Roots, d.Now())
		if o.asked && p.mine == nil {
			s.warn("%s asks for a certificate, and we have none", target).do("give network %s a certificate (tls: {cert, key}) if the trunk knows its callers by theirs", e.network.Name)
		}
	}
	if !answered {
		return false
	}
	s.clock(o.answer, d.Now())
	if v, ok := o.answer.via(); ok {
		s.seen(d.place(ctx, e, target, o), o.sent, v, target.Addr.Addr())
		s.rewritten(o.sent, o.answer, v)
	}
	s.codecs(o.answer, e.trunk.Codecs, d.at("trunks[%d].codecs", e.at))
	if target.Transport == "udp" {
		p.pad = padded
		s.size(target.String(), p.run(ctx), inviteSize(e.trunk, e.uri, o.sent.host), speaks(e.network)("tcp", target.Addr.Addr().Is4()), e.setting)
	}
	return true
}

// probe is the OPTIONS for a target.
func (d *Doctor) probe(e examination, target locate.Target) probe {
	who := "sip:passerelle@" + bracketed(hostOf(e.uri))
	if r := e.trunk.Register; r != nil {
		who = "sip:" + r.User + "@" + bracketed(or(r.Domain, hostOf(e.uri)))
	}
	return probe{
		target: target, name: hostOf(e.uri), uri: e.uri, who: who, host: advertised(e.network), local: leaving(e.network, target.Transport),
		mine: d.certificate(e.network), wait: d.Patience, agent: d.Agent, suites: e.trunk.Suites,
	}
}

// leaving are the addresses that a network sends from over a transport, its own ports first: a firewall may know only them.
func leaving(n *config.Network, transport string) []netip.AddrPort {
	var own, free []netip.AddrPort
	for _, l := range n.Listen {
		if l.Transport != transport {
			continue
		}
		for _, a := range families(l.Addr) {
			own, free = append(own, a), append(free, netip.AddrPortFrom(a.Addr(), 0))
		}
	}
	return append(own, free...)
}

// place is where we are for a target.
func (d *Doctor) place(ctx context.Context, e examination, target locate.Target, o outcome) place {
	i := slices.IndexFunc(d.Of.Static.Networks, func(n config.Network) bool { return n.Name == e.network.Name })
	p := place{
		setting: d.at("networks[%d].advertise", i), advertise: e.network.Advertise, transport: target.Transport, local: o.local,
	}
	if host := e.network.Advertise.Host; host != "" {
		found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // none is told
		for _, a := range found {
			p.resolved = append(p.resolved, a.Unmap())
		}
	}
	return p
}

// told says what the running gateway knows of the trunk's servers, where that is bad.
func (d *Doctor) told(s *sheet, t *config.Trunk) {
	told := d.running.trunk(t.Name)
	if told == nil {
		if d.running.err == nil {
			s.warn("the gateway that runs does not know this trunk").do("its configuration is another, or older: passerelle check prints what would change; SIGHUP, or a restart, loads it")
		}
		return
	}
	for _, v := range told.Servers {
		if !v.Up {
			s.bad("the gateway: %s is down since %s: %s", v.URI, v.Since.Local().Format("15:04:05"), v.Why).do("see below what it answers now")
		}
	}
}

// accepted compares the addresses of a trunk's servers with those that its calls are taken from.
func (d *Doctor) accepted(s *sheet, t *config.Trunk, at int, addrs, silent []netip.Addr) {
	covers := func(all []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	var outside []string
	for _, a := range addrs {
		if covers(t.From, a) || slices.Contains(outside, a.String()) {
			continue
		}
		for _, other := range d.Of.Live.Trunks {
			if other.Name != t.Name && covers(other.From, a) {
				s.warn("calls from %s are taken for trunk %s's, whose accept.from has that address", a, other.Name).
					do("take %s out of the accept.from of %s, and put it into %s", a, other.Name, d.at("trunks[%d].accept.from", at))
				return
			}
		}
		outside = append(outside, a.String())
	}
	for _, k := range d.running.knocks {
		if k.Block == "" || !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return near(a, k.Address) }) {
			continue
		}
		s.bad("%s, which is close to its servers, was not answered, %d times: %s", k.Address, k.Times, k.Why).
			do("if that is this trunk's too, add %s to %s", k.Address, d.at("trunks[%d].accept.from", at))
	}
	switch {
	case len(outside) == 0:
	case (t.Health > 0 || t.Register != nil) && len(silent) > 0:
		s.warn("accept.from does not have %s, and calls from there are taken only where it answers us", listed(outside)).do("add the addresses that call you to %s", d.at("trunks[%d].accept.from", at))
	case t.Health > 0 || t.Register != nil:
		s.ok("accept.from does not have %s: calls from there are taken as long as it answers us", listed(outside))
	default:
		s.warn("accept.from does not have %s: calls from there are not answered", listed(outside)).do("add it to %s, or have its health watched (health: 30s)", d.at("trunks[%d].accept.from", at))
	}
}

// near reports whether two addresses are of one /24, or /64.
func near(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// inbound says how a trunk that only calls us is known.
func (d *Doctor) inbound(s *sheet, t *config.Trunk, at int) {
	var from []string
	for _, p := range t.From {
		from = append(from, shortest(p))
	}
	switch {
	case t.Certificate != nil:
		s.ok("it calls us, and is known by its certificate for %s", t.Certificate.Name)
	default:
		s.ok("it calls us, from %s", listed(from))
	}
	for _, k := range d.running.knocks {
		if k.Trunk == t.Name {
			s.warn("its last call that was refused, %s ago, from %s: %d, %s", tidy(d.Now().Sub(k.Last)), k.Address, k.Code, k.Why).
				do("passerelle route --trunk %s --to NUMBER says why a number goes nowhere", t.Name)
		}
	}
	for _, p := range t.From {
		if p.IsSingleIP() && !routable(p.Addr()) {
			s.bad("there is no way to %s, which trunks[%d].accept.from names", p.Addr(), at).do("check this machine's routes (ip route get %s)", p.Addr())
		}
	}
}

// shortest is a prefix, or the address where it is one.
func shortest(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// routable reports whether this machine has a way to an address. Connecting a UDP socket sends nothing.
func routable(a netip.Addr) bool {
	conn, err := net.Dial("udp", netip.AddrPortFrom(a, 9).String())
	if err == nil {
		_ = conn.Close()
	}
	return !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EHOSTUNREACH)
}
