// Package bridge is the switchboard: it takes each call from a telephone to a seat in a room, and knows which
// rooms are open and how many calls there may be. It does not know how SIP, RTP, codecs or WebRTC work.
//
// The way of a call: [Gateway.On] takes it in, call.serve (call.go) brings it from the INVITE to the BYE.
package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/guess"
	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/registrar"
	"passerelle/sip/rtp"
)

// Config is what a Gateway is made of. All fields are needed, Knocks, ServerOf, Devices, Errand, Dial, Servers, RingTime, Ledger, Guesses
// and Log excepted.
type Config struct {
	Live     func() *config.Live // what is in force
	Engine   *audio.Engine
	Rooms    map[string]Rooms // by engine name
	Voices   *ivr.Voices
	Networks map[string]Network   // by name
	Clock    func() time.Duration // since the gateway began
	Identity *rtp.Identity        // what we show in DTLS handshakes; nil: there are none
	// ServerOf returns the trunk one of whose servers is at an address, "" if it is nobody's. Nil: it always is.
	ServerOf func(netip.Addr) string
	// Devices returns where a phone has registered: devices that ring together, each with the ways to it. Needed where
	// routes lead to phones, as Dial is.
	Devices func(user string) [][]registrar.Binding
	// Errand returns which phone another gateway wants called, and where, with an INVITE that came in on a network; ok is
	// false where it is no such INVITE. It is asked once for each. Nil: there is no other gateway.
	Errand func(ctx context.Context, network string, i sip.Invite) (user string, ways []registrar.Binding, ok bool)
	// Dial calls somebody on a network (sip.Server.Dial). Nil: calls are transferred to rooms only, and nobody is called.
	Dial func(ctx context.Context, network string, to sip.Dial) (*sip.Dialog, []byte, error)
	// Servers returns where a trunk is called, SIP URIs in the order of trying, and who answers its challenges, nil if
	// nobody can. Nil: as the configuration has them.
	Servers func(trunk string) ([]string, *digest.Keyring)
	// RingTime is how long somebody is rung; 0: a minute.
	RingTime time.Duration
	// Ledger lets calls out, and counts them. Nil: nothing is called out.
	Ledger *outgoing.Ledger
	// Guesses holds up those who guess PINs. Nil: one with a memory of its own.
	Guesses *guess.Guard
	Knocks  *Knocks // where refused calls are noted; nil is nowhere
	Log     *slog.Logger
}

// Network is a network of the configuration: where telephones are. Nothing but sound goes from one to another.
type Network struct {
	Ports     Ports
	Advertise config.Advertise // what peers are told of our media address
	// KeysOverTLS says that keys of SRTP are not taken from SIP in clear (networks.tls.profile).
	KeysOverTLS bool
}

// Rooms is an engine of the configuration: where rooms live.
type Rooms struct {
	Backend   rooms.Backend
	Reception rooms.Reception // for menus; nil if no room has a PIN
	// AloneTimeout is how long a caller may be the only one in a room, MaxCall how long a call may last;
	// 0 is for ever.
	AloneTimeout, MaxCall time.Duration
	Announce              config.Announce // who comes and goes, unless the room says otherwise; "" is none
}

// Ports are where phone lines live, one range for each address family; at least one of them is not nil.
type Ports struct{ IPv4, IPv6 *rtp.Ports }

// towards returns the range from which a peer can be reached.
func (p Ports) towards(peer netip.Addr) (*rtp.Ports, error) {
	ports, family := p.IPv6, "IPv6"
	if peer.Unmap().Is4() {
		ports, family = p.IPv4, "IPv4"
	}
	if ports == nil {
		return nil, refuse(488, "no %s media address (networks.media)", family)
	}
	return ports, nil
}

// InUse returns how many pairs are held by open lines.
func (p Ports) InUse() int {
	n := 0
	for _, ports := range []*rtp.Ports{p.IPv4, p.IPv6} {
		if ports != nil {
			n += ports.InUse()
		}
	}
	return n
}

// Gateway answers calls. Its methods may be called from any goroutine.
type Gateway struct {
	Config
	open   openRooms
	routes atomic.Pointer[directory] // of the configuration that a call was routed by last

	mu       sync.Mutex
	draining bool
	calls    map[*call]context.CancelCauseFunc
	out      int           // calls out, from the wish to the end
	empty    chan struct{} // closed when draining and the last call has ended
	trunks   map[string]int
	peers    map[netip.Addr]int // where the calls come from

	answered atomic.Uint64
	secure   atomic.Uint64 // of answered
	exposed  atomic.Uint64 // of secure: their keys came in clear
	refused  atomic.Uint64
	past     Media // of the calls that have ended
}

// New returns a Gateway that waits for calls: hand it to sip.Server.Serve.
func New(c Config) *Gateway {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Guesses == nil {
		c.Guesses = guess.New(guess.Config{Log: c.Log})
	}
	return &Gateway{
		Config: c,
		open:   openRooms{engine: c.Engine, engines: c.Rooms, open: make(map[destinationKey]*openRoom)},
		calls:  make(map[*call]context.CancelCauseFunc),
		empty:  make(chan struct{}),
		trunks: make(map[string]int),
		peers:  make(map[netip.Addr]int),
	}
}

// On returns who takes the calls that come in on a network: each from its INVITE to its end.
func (g *Gateway) On(network string) sip.Handler {
	return sip.HandlerFunc(func(ctx context.Context, d *sip.Dialog) {
		c := newCall(g, network, d)
		err := c.reject(ctx, c.serve(ctx))
		c.logEnd(ctx, err)
	})
}

// admit counts a call in, or says why there is no room for it.
func (g *Gateway) admit(c *call, cancel context.CancelCauseFunc) error {
	live := g.Live()
	trunk := c.to.trunk
	c.place = c.to.String()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining && (!c.to.emergency || len(g.calls)+g.out == 0):
		return full("the gateway closes")
	case c.to.emergency: // is never one too many
	case c.replacing != nil: // one for one
	case !c.part && live.Limits.Calls > 0 && len(g.calls) >= live.Limits.Calls:
		return full("all %d calls are taken (limits.calls)", live.Limits.Calls)
	case trunk.Calls > 0 && g.trunks[trunk.Name] >= trunk.Calls:
		return full("all %d calls of trunk %s are taken (limits.calls)", trunk.Calls, trunk.Name)
	}
	g.trunks[trunk.Name]++
	if c.part {
		return nil
	}
	g.calls[c] = cancel
	g.peers[c.invite.Source.Addr()]++
	return nil
}

// end ends a call, if it is still up.
func (g *Gateway) end(c *call, why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cancel := g.calls[c]; cancel != nil {
		cancel(why)
	}
}

// callOf returns the call of a dialog; nil if it is over.
func (g *Gateway) callOf(d *sip.Dialog) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.calls {
		if c.dialog == d {
			return c
		}
	}
	return nil
}

// dismiss counts it out again.
func (g *Gateway) dismiss(c *call) {
	media := c.totals()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.past.add(media)
	if g.trunks[c.to.trunk.Name]--; g.trunks[c.to.trunk.Name] == 0 {
		delete(g.trunks, c.to.trunk.Name)
	}
	if c.part {
		return
	}
	delete(g.calls, c)
	if peer := c.invite.Source.Addr(); g.peers[peer] > 1 {
		g.peers[peer]--
	} else {
		delete(g.peers, peer)
	}
	g.close()
}

// close tells Drain that nobody is left. Called with g.mu held.
func (g *Gateway) close() {
	if g.draining && len(g.calls) == 0 && g.out == 0 {
		close(g.empty)
	}
}

// begin counts a call out in, which may be none yet, or none any more: what it says in its room is waited for, too.
func (g *Gateway) begin() (done func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining || g.Dial == nil {
		return nil, full("the gateway calls nobody now")
	}
	g.out++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.out--
		g.close()
	}, nil
}

// Talks reports whether a call from src is up: whoever talks is answered until the end, also where the configuration
// knows the trunk no more.
func (g *Gateway) Talks(src netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peers[src] > 0
}

// Drain refuses new calls and waits until those that are up have ended; when ctx is done first, it hangs
// them up. It is called once.
func (g *Gateway) Drain(ctx context.Context) {
	g.mu.Lock()
	g.draining = true
	g.close()
	g.mu.Unlock()

	select {
	case <-g.empty:
		return
	case <-ctx.Done():
	}
	g.mu.Lock()
	for _, cancel := range g.calls {
		cancel(errDrained)
	}
	g.mu.Unlock()
	<-g.empty
}

// Ready returns the SIP status that answers an OPTIONS: 200, or 503 when no call would be taken.
func (g *Gateway) Ready() int {
	limit := g.Live().Limits.Calls
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining || limit > 0 && len(g.calls) >= limit {
		return 503
	}
	return 200
}

// Load is how busy the gateway is, for balancers that ask: "calls=12; limit=1000", limit=0 where there is none.
func (g *Gateway) Load() string {
	limit := g.Live().Limits.Calls
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("calls=%d; limit=%d", len(g.calls), limit)
}
