package registrar

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"passerelle/sip/contact"
)

// Register is a REGISTER of a phone that has proved who it is.
type Register struct {
	Phone     string // who
	CallID    string
	CSeq      uint32
	Contacts  []string // the values of Contact; none asks what there is
	Expires   string   // the value of Expires, "" without one
	Path      []string // the values of Path
	Outbound  bool     // Supported has outbound
	Direct    bool     // no proxy is between us: it has one Via
	NAT       bool     // between us
	Flow      Flow
	UserAgent string

	least, most time.Duration // of a life, now
}

// Answer is what to answer it with.
type Answer struct {
	Code     int
	Reason   string
	Contacts []string      // of a 200: all bindings, a value of Contact each
	Path     []string      // of a 200: as it came
	Outbound bool          // of a 200: the flow is the way back (Require: outbound)
	Least    time.Duration // of a 423: Min-Expires
}

// refusal is a REGISTER that is not taken.
type refusal struct {
	code   int
	reason string
}

func (r *refusal) Error() string { return r.reason }

var (
	errContact  = &refusal{400, "Contact Is No SIP URI"}
	errWildcard = &refusal{400, "* Goes Alone, With Expires: 0"}
	errPath     = &refusal{400, "Bad Path"}
	errInterval = &refusal{423, "Interval Too Brief"}
	errFirstHop = &refusal{439, "First Hop Lacks Outbound Support"} // RFC 5626 section 11.6
	errOrder    = &refusal{500, "CSeq Out of Order"}
)

// Register does what a REGISTER asks for, all of it or nothing (RFC 3261 section 10.3).
func (r *Registrar) Register(q Register) Answer {
	now := time.Now()
	q.least, q.most = r.config.Lives()
	wanted, err := r.read(q, now)
	if err != nil {
		return r.refuse(err, q)
	}
	elsewhere := r.shared(q.Phone)
	a, changed := r.bind(q, wanted, elsewhere, now)
	r.note(q.Phone, changed)
	return a
}

// bind changes the bindings of a phone, and returns which it has changed.
func (r *Registrar) bind(q Register, wanted []wish, elsewhere []Binding, now time.Time) (a Answer, changed []Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := alive(merge(r.phones[q.Phone], elsewhere), now)
	was, before := slices.Clone(all), len(all)
	if overtaken(all, wanted, q) {
		return r.refuse(errOrder, q), nil
	}
	for _, w := range wanted {
		if i := slices.IndexFunc(all, w.is); i >= 0 {
			w.binding.Updated = later(now, all[i])
		}
		all = slices.DeleteFunc(all, w.is)
		if w.life > 0 {
			all = append(all, w.binding)
		}
	}
	if over := len(all) - r.config.PerPhone; over > 0 {
		slices.SortFunc(all, func(a, b Binding) int { return a.Updated.Compare(b.Updated) })
		all = all[over:]
		r.log.Warn("a phone has too many bindings; the oldest are dropped", "phone", r.config.Name(q.Phone), "dropped", over)
	}
	if len(wanted) > 0 {
		r.set(q.Phone, slices.DeleteFunc(slices.Clone(all), func(b Binding) bool { return b.Gateway != "" }))
		changed = changes(was, all, now)
	}
	if (before == 0) != (len(all) == 0) {
		r.log.Info(map[bool]string{true: "phone registered", false: "phone gone"}[before == 0],
			"phone", r.config.Name(q.Phone), "transport", q.Flow.Network, "address", q.Flow.Remote, "nat", q.NAT, "agent", q.UserAgent)
	}
	return r.accept(q, alive(all, now), now), changed
}

// wish is one contact of a REGISTER: to be bound, or with no life left to be forgotten.
type wish struct {
	key     string // which binding; "" is all
	binding Binding
	life    time.Duration
}

// read looks at the contacts of a REGISTER before anything is changed.
func (r *Registrar) read(q Register, now time.Time) ([]wish, error) {
	contacts, err := contact.Parse(q.Contacts...)
	if err != nil {
		return nil, errContact
	}
	path, err := readPath(q.Path)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(contacts, func(c contact.Address) bool { return c.URI == "*" }) {
		if len(contacts) != 1 || q.Expires == "" || contact.Seconds(q.Expires) != 0 {
			return nil, errWildcard
		}
		return []wish{{}}, nil
	}
	var wanted []wish
	for _, c := range contacts {
		w, err := r.wish(c, q, now)
		if err != nil {
			return nil, err
		}
		w.binding.Path = path
		wanted = append(wanted, w)
	}
	return wanted, nil
}

// wish reads one contact.
func (r *Registrar) wish(c contact.Address, q Register, now time.Time) (wish, error) {
	key, err := contact.Key(c.URI)
	if err != nil || len(c.URI) > maxURI {
		return wish{}, errContact
	}
	life, has := c.Expires()
	switch {
	case has:
	case q.Expires != "":
		life = contact.Seconds(q.Expires)
	default:
		life = r.config.Default
	}
	if life > 0 && life < q.least {
		return wish{}, errInterval
	}
	life = min(life, q.most)
	b := Binding{
		Contact: c.URI, Flow: q.Flow, NAT: q.NAT, Q: c.Q(), CallID: q.CallID, CSeq: q.CSeq, Agent: q.UserAgent,
		Updated: now, Expires: now.Add(life),
	}
	b.Instance, _ = c.Param("+sip.instance")
	if id, _ := c.Param("reg-id"); q.Outbound && b.Instance != "" && id != "" { // RFC 5626 section 6
		if n, err := strconv.ParseUint(id, 10, 31); err != nil || n == 0 {
			return wish{}, errContact
		}
		if !q.Direct && !outboundProxy(q.Path) {
			return wish{}, errFirstHop
		}
		b.RegID, key = id, b.Instance+" "+id
	}
	return wish{key, b, life}, nil
}

// outboundProxy reports whether the first proxy that a REGISTER came through keeps the flow (RFC 5626 section 5.1).
func outboundProxy(path []string) bool {
	all, err := contact.Parse(path...)
	if err != nil || len(all) == 0 {
		return false
	}
	_, params, _ := strings.Cut(all[len(all)-1].URI, ";")
	return slices.Contains(strings.Split(params, ";"), "ob")
}

// readPath reads the proxies on the way to a phone.
func readPath(values []string) ([]string, error) {
	all, err := contact.Parse(values...)
	if err != nil || len(all) > maxPath {
		return nil, errPath
	}
	var path []string
	for _, a := range all {
		if _, err := contact.Key(a.URI); err != nil {
			return nil, errPath
		}
		path = append(path, a.URI)
	}
	return path, nil
}

// keyOf returns which binding it is.
func keyOf(b Binding) string {
	if b.Outbound() {
		return b.Instance + " " + b.RegID
	}
	key, _ := contact.Key(b.Contact) // it was one when it was bound
	return key
}

// is reports whether a binding is the one that a contact means.
func (w wish) is(b Binding) bool { return w.key == "" || keyOf(b) == w.key }

// overtaken reports whether a REGISTER is older than what is known of its contacts (section 10.3, step 7).
func overtaken(all []Binding, wanted []wish, q Register) bool {
	return slices.ContainsFunc(all, func(b Binding) bool {
		return b.CallID == q.CallID && b.CSeq >= q.CSeq && slices.ContainsFunc(wanted, func(w wish) bool { return w.is(b) })
	})
}

func (r *Registrar) refuse(err error, q Register) Answer {
	a := Answer{Code: 500, Reason: "Server Internal Error"}
	var refused *refusal
	if errors.As(err, &refused) {
		a.Code, a.Reason = refused.code, refused.reason
	}
	if refused == errInterval {
		a.Least = q.least
	}
	return a
}

// accept lists the bindings, each with the rest of its life (section 10.3, step 8).
func (r *Registrar) accept(q Register, all []Binding, now time.Time) Answer {
	a := Answer{Code: 200, Reason: "OK", Path: q.Path}
	for _, b := range all {
		c := contact.Address{URI: b.Contact}
		if b.Instance != "" {
			c.Set("+sip.instance", b.Instance)
		}
		if b.Outbound() {
			c.Set("reg-id", b.RegID)
			a.Outbound = a.Outbound || b.CallID == q.CallID && b.CSeq == q.CSeq
		}
		left := b.Expires.Sub(now).Round(time.Second) // never more than was asked for
		c.Set("expires", strconv.Itoa(int(left/time.Second)))
		a.Contacts = append(a.Contacts, c.String())
	}
	return a
}
