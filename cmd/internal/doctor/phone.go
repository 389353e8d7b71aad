package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"passerelle/cmd/internal/desk"
	"passerelle/config"
)

// phones says how many are there, and who is locked out.
func (d *Doctor) phones(s *sheet) {
	all := d.Of.Live.Phones
	if len(all) == 0 {
		return
	}
	if d.running.err != nil {
		s.ok("%d phones are configured; where they are, only a gateway that runs can tell", len(all))
		return
	}
	var absent []string
	for _, p := range all {
		if told := d.running.phone(p.User); told == nil || len(told.Bindings) == 0 {
			absent = append(absent, p.User)
		}
	}
	s.ok("%d of %d phones are registered", len(all)-len(absent), len(all))
	if len(absent) > 0 {
		shown := absent[:min(len(absent), 10)]
		s.warn("not registered: %s", listed(shown)).do("passerelle doctor %s says more", absent[0])
	}
	for _, p := range d.running.phones.Phones {
		for _, w := range p.Wrong {
			d.wrong(s, p, w)
		}
	}
}

// wrong tells of wrong passwords.
func (d *Doctor) wrong(s *sheet, p desk.Phone, w desk.Wrong) {
	now := d.Now()
	if w.From == "" && w.Locked.IsZero() {
		return // what its sources say
	}
	where := "everywhere"
	if w.From != "" {
		where = w.From
	}
	switch {
	case p.Unknown:
		s.warn("%s tries to register as %q, which is no phone of ours; %d times, last %s ago", where, p.User, w.Times, tidy(now.Sub(w.Last))).
			do("if it is one of yours, put its user right, there or in phones; if not, leave it: it is locked out for longer and longer")
	case !w.Locked.IsZero():
		s.bad("%s is locked out at %s for %s more, after %d wrong passwords", p.User, where, tidy(w.Locked.Sub(now)), w.Times).
			do("put the right password into the phone, and wait: until the lock ends the right one is refused too")
	default:
		s.warn("%s has shown a wrong password at %s, %d times, last %s ago", p.User, where, w.Times, tidy(now.Sub(w.Last))).do("put the right password into the phone")
	}
}

// Phone examines one phone.
func (d *Doctor) Phone(ctx context.Context, i int) {
	p := &d.Of.Live.Phones[i]
	d.asked(ctx)
	s := &sheet{about: "phone " + p.User}
	name, secret := "", "a password"
	if p.Name != "" {
		name = " (" + p.Name + ")"
	}
	if p.Password.IsEmpty() {
		secret = "ha1, which holds for realm " + d.Of.Live.Registrar.Realm + " only"
	}
	s.ok("%s%s is configured, on network %s, with %s", p.User, name, p.Network, secret)
	if told := d.running.phone(p.User); told != nil {
		d.bound(ctx, s, p, told)
	} else if d.running.err != nil {
		s.bad("where it is, only a gateway that runs can tell: %s", d.running.err).do("start the gateway, or add admin: {listen: 127.0.0.1:8081} and restart it")
	} else {
		s.bad("the gateway that runs does not know this phone").do("its configuration is another, or older: passerelle check prints what would change; SIGHUP loads it")
	}
	d.tell(s)
	if d.Call != nil {
		s := &sheet{about: "test call"}
		s.warn("a phone is called by the gateway, and not from here").do("passerelle call sip:%s@%s, from an address that a route with phone lets in", p.User, d.dialled(p.Network))
		d.tell(s)
	}
}

// dialled is where a network is called.
func (d *Doctor) dialled(network string) string {
	a := d.network(network).Listen[0].Addr
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port()).String()
	}
	return a.String()
}

// bound says where a phone is, and whether it answers there.
func (d *Doctor) bound(ctx context.Context, s *sheet, p *config.Phone, told *desk.Phone) {
	for _, w := range told.Wrong {
		d.wrong(s, *told, w)
	}
	for _, w := range d.running.phones.Sources {
		if !w.Locked.IsZero() {
			s.warn("all phones at %s are locked out for %s more: there were %d wrong passwords from there", w.From, tidy(w.Locked.Sub(d.Now())), w.Times).
				do("find the phone there that has a wrong one (passerelle phones)")
		}
	}
	if len(told.Bindings) == 0 {
		d.absent(s, p, told)
		return
	}
	for _, b := range told.Bindings {
		nat := "as it says itself"
		if b.NAT {
			nat = "behind a NAT (its own Contact is " + b.Contact + ")"
		}
		s.ok("registered from %s over %s, %s, for %s more%s", b.Flow.Remote, b.Flow.Network, nat, tidy(b.Expires.Sub(d.Now())), agentOf(b.Agent))
	}
	var answers []desk.Answer
	if err := d.Ask(ctx, http.MethodPost, "/v1/phones/"+url.PathEscape(p.User)+"/options", &answers); err != nil {
		s.warn("whether it answers is not known: %s", err).do("ask again")
		return
	}
	for _, a := range answers {
		switch {
		case a.Error != "":
			s.bad("it does not answer OPTIONS at %s: %s", a.Flow.Remote, a.Error).
				do("see whether it is switched on; if it is, a NAT or firewall has forgotten it: have it register more often (registrar.most), or over TCP")
		case a.Code == 408 || a.Code >= 500:
			s.warn("it answers OPTIONS at %s with %d %s", a.Flow.Remote, a.Code, a.Reason).do("restart it")
		default:
			s.ok("it answers OPTIONS at %s with %d %s in %s", a.Flow.Remote, a.Code, a.Reason, tidy(a.Took))
		}
	}
}

func agentOf(agent string) string {
	if agent == "" {
		return ""
	}
	return " (" + agent + ")"
}

// absent says why a phone may not be there.
func (d *Doctor) absent(s *sheet, p *config.Phone, told *desk.Phone) {
	f := s.bad("it has not registered")
	latest := slices.MaxFunc(append(told.Wrong, desk.Wrong{}), func(a, b desk.Wrong) int { return a.Last.Compare(b.Last) })
	switch {
	case latest.Times > 0 && d.Now().Sub(latest.Last) < time.Hour:
		f.do("its password is wrong: see above")
	case d.Of.Live.Registrar.From != nil:
		var from []string
		for _, prefix := range d.Of.Live.Registrar.From {
			from = append(from, shortest(prefix))
		}
		f.do("in the phone: registrar (and domain, and proxy) %s, user and authentication name %s; it must be in %s (registrar.from), or it gets no answer", d.dialled(p.Network), p.User, listed(from))
	}
	for _, k := range d.running.knocks {
		if k.Block != "" && d.Now().Sub(k.Last) < time.Hour {
			s.warn("somebody at %s was not answered %s ago, %d times: it may be this phone", k.Address, tidy(d.Now().Sub(k.Last)), k.Times).
				do("if so, add its address to registrar.from")
			return
		}
	}
}
