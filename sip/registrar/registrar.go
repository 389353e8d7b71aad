// Package registrar knows where phones are: their bindings (RFC 3261 section 10), with the way to each (Path, RFC 3327;
// flows, RFC 5626), and keeps them over a restart. It does not know who may register, and sends nothing.
package registrar

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Config says how bindings are kept. The zero value of each field works.
type Config struct {
	// Lives is the shortest life of a binding, less gets 423, and the longest, more is shortened to this. It is asked once
	// for each REGISTER. Nil: 60 s and 2 h.
	Lives   func() (least, most time.Duration)
	Default time.Duration // where the phone asks for none; 1 h
	// PerPhone is how many bindings one phone has; 10. One more replaces the oldest.
	PerPhone int
	File     string                    // where bindings survive a restart; "" is nowhere
	Keep     func(phone string) bool   // of the file, which phones there still are; nil: all
	Name     func(phone string) string // what the log calls a phone; nil: what it is
	// Store is where several gateways know of each other's bindings. Nil: there is one gateway.
	Store Store
	Log   *slog.Logger // nil is silence
}

// Bounds of one REGISTER.
const (
	maxURI  = 512 // bytes of a contact
	maxPath = 8   // proxies on the way to a phone
)

// Flow is how a REGISTER came, and the way back to the phone (RFC 5626 section 3.1).
type Flow struct {
	Network string         `json:"network"` // "udp", "tcp" or "tls"
	Remote  netip.AddrPort `json:"remote"`
	Local   netip.AddrPort `json:"local"` // the socket's own address
}

// Binding is one place where a phone is.
type Binding struct {
	Contact  string    `json:"contact"`            // the URI to call
	Path     []string  `json:"path,omitempty"`     // proxies on the way, in our order
	Flow     Flow      `json:"flow"`               // what came with the last REGISTER
	NAT      bool      `json:"nat,omitempty"`      // there is one between us
	Instance string    `json:"instance,omitempty"` // +sip.instance: which device it is
	RegID    string    `json:"reg_id,omitempty"`   // of an outbound binding: which of its flows
	Q        int       `json:"q"`                  // preference, 0 to 1000
	CallID   string    `json:"call_id"`
	CSeq     uint32    `json:"cseq"`
	Agent    string    `json:"agent,omitempty"`
	Updated  time.Time `json:"updated"`
	Expires  time.Time `json:"expires"`
	// Gateway is which other gateway has it, and its flow; "" is this one.
	Gateway string `json:"gateway,omitempty"`
	// Gone says that it was a binding until Updated; where several gateways know of it, for as long as it would have lived.
	Gone bool `json:"gone,omitempty"`
}

// Outbound reports whether the phone can be reached on its flow only (RFC 5626).
func (b Binding) Outbound() bool { return b.RegID != "" }

// Registrar keeps bindings. Its methods may be called from any goroutine.
type Registrar struct {
	config Config
	log    *slog.Logger
	dirty  chan struct{}

	mu     sync.Mutex
	phones map[string][]Binding // this gateway's own; no list is changed once it is in here
	untold map[string][]Binding // that a connection has taken away, for the Store
	news   chan struct{}        // receives where there is something in untold
}

// New returns a Registrar with the bindings of the file, if there are any. A file that cannot be read is told, and
// written anew.
func New(c Config) *Registrar {
	c.Default = cmp.Or(c.Default, time.Hour)
	if c.Lives == nil {
		c.Lives = func() (least, most time.Duration) { return time.Minute, 2 * time.Hour }
	}
	c.PerPhone = cmp.Or(c.PerPhone, 10)
	if c.Name == nil {
		c.Name = func(phone string) string { return phone }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registrar{
		config: c, log: c.Log, dirty: make(chan struct{}, 1), phones: map[string][]Binding{},
		untold: map[string][]Binding{}, news: make(chan struct{}, 1),
	}
	r.load()
	return r
}

// Bindings returns where a phone is now, the best place first: the one that it prefers, then the one that was heard of
// last. Those that other gateways have are among them.
func (r *Registrar) Bindings(phone string) []Binding {
	all := r.shared(phone)
	r.mu.Lock()
	defer r.mu.Unlock()
	return alive(merge(r.phones[phone], all), time.Now())
}

// Own returns those that this gateway has.
func (r *Registrar) Own(phone string) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return alive(r.phones[phone], time.Now())
}

// Devices returns the same by device: each is to ring, and of its flows the first that works (RFC 5626 section 5.3).
func (r *Registrar) Devices(phone string) [][]Binding {
	var devices [][]Binding
	for _, b := range r.Bindings(phone) {
		i := slices.IndexFunc(devices, func(d []Binding) bool {
			return b.Outbound() && d[0].Outbound() && d[0].Instance == b.Instance
		})
		if i < 0 {
			devices = append(devices, []Binding{b})
			continue
		}
		devices[i] = append(devices[i], b)
	}
	for _, ways := range devices { // the flows that are here before those that are elsewhere
		slices.SortStableFunc(ways, func(a, b Binding) int { return cmp.Compare(min(len(a.Gateway), 1), min(len(b.Gateway), 1)) })
	}
	return devices
}

// alive returns the bindings that are, in their order.
func alive(all []Binding, now time.Time) []Binding {
	all = slices.DeleteFunc(slices.Clone(all), func(b Binding) bool { return b.Gone || !now.Before(b.Expires) })
	slices.SortStableFunc(all, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.Updated.Compare(a.Updated))
	})
	return all
}

// At reports whether a phone is registered from an address.
func (r *Registrar) At(phone string, src netip.Addr) bool {
	there := func(b Binding) bool { return b.Flow.Remote.Addr() == src }
	return slices.ContainsFunc(r.Own(phone), there) || slices.ContainsFunc(r.Bindings(phone), there)
}

// Translated returns the flows over UDP that a NAT would forget: those that something must be sent on now and then.
func (r *Registrar) Translated() []Flow {
	r.mu.Lock()
	defer r.mu.Unlock()
	var flows []Flow
	now := time.Now()
	for _, all := range r.phones {
		for _, b := range all {
			if b.NAT && b.Flow.Network == "udp" && now.Before(b.Expires) && !slices.Contains(flows, b.Flow) {
				flows = append(flows, b.Flow)
			}
		}
	}
	return flows
}

// Lost takes that a connection is closed: what could be reached on it only is gone.
func (r *Registrar) Lost(flow Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for phone, all := range r.phones {
		left := slices.DeleteFunc(slices.Clone(all), func(b Binding) bool {
			return b.Outbound() && b.Flow.Network == flow.Network && b.Flow.Remote == flow.Remote
		})
		if len(left) != len(all) {
			r.log.Info("phone lost", "phone", r.config.Name(phone), "transport", flow.Network, "address", flow.Remote)
			r.set(phone, left)
			r.tell(phone, changes(all, left, time.Now()))
		}
	}
}

// Retain forgets the bindings that keep does not want, of phones that are no more or have another password. keep must not block.
func (r *Registrar) Retain(keep func(phone string, b Binding) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for phone, all := range r.phones {
		left := slices.DeleteFunc(slices.Clone(all), func(b Binding) bool { return !keep(phone, b) })
		if len(left) != len(all) {
			r.log.Info("phone forgotten", "phone", r.config.Name(phone), "bindings", len(all)-len(left))
			r.set(phone, left)
			r.tell(phone, changes(all, left, time.Now()))
		}
	}
}

// Stats is how many there are.
type Stats struct {
	Phones   int `json:"phones"`
	Bindings int `json:"bindings"`
}

// Stats counts the phones that are registered.
func (r *Registrar) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	var s Stats
	now := time.Now()
	for _, all := range r.phones {
		if n := len(alive(all, now)); n > 0 {
			s.Phones++
			s.Bindings += n
		}
	}
	return s
}

// set replaces the bindings of a phone. Called with mu held.
func (r *Registrar) set(phone string, all []Binding) {
	if len(all) == 0 {
		delete(r.phones, phone)
	} else {
		r.phones[phone] = all
	}
	select {
	case r.dirty <- struct{}{}:
	default: // it is to be written already
	}
}
