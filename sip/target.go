package sip

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// path is how a dialog reaches its peer: transport, our own address, the remote target and the route set
// (RFC 3261 section 12.1). Its fields are the dialog's owner's.
type path struct {
	network string         // "udp", "tcp", "tls", "ws" or "wss"
	socket  netip.AddrPort // of the listener (UDP) or the connection's own end (TCP, TLS)
	self    sip.Uri        // our Contact
	here    netip.Addr     // our address towards the peer, never unspecified
	flow    netip.AddrPort // where the peer's packets come from
	nat     bool           // between the peer and us
	target  sip.Uri        // the peer's Contact
	routes  []sip.Uri      // in the order of our requests

	peers []netip.Addr // who may send requests in the dialog
}

// learn takes target and route set from the message that makes the dialog: the peer's INVITE, whose
// Record-Route is in our order (section 12.1.1), or its answer to ours, where it is reversed (12.1.2).
func (p *path) learn(m sip.Message, src netip.AddrPort, reversed bool) {
	p.flow = src
	p.allow(src.Addr())
	p.routes = p.routes[:0:0]
	for _, h := range m.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			p.routes = append(p.routes, *rr.Address.Clone())
			p.allowHost(rr.Address.Host)
		}
	}
	if reversed {
		slices.Reverse(p.routes)
	}
	p.refresh(m)
}

// refresh takes a new remote target from a target refresh request or its 2xx (section 12.2).
func (p *path) refresh(m sip.Message) {
	if c := contactOf(m); c != nil {
		p.target = *c.Address.Clone()
		p.allowHost(c.Address.Host)
	}
}

// contactOf returns the Contact of a message, where it has one that can be sent to.
func contactOf(m sip.Message) *sip.ContactHeader {
	for _, h := range m.GetHeaders("contact") {
		c, ok := h.(*sip.ContactHeader)
		if ok && !c.Address.Wildcard && c.Address.Host != "" && (c.Address.Scheme == "sip" || c.Address.Scheme == "sips") {
			return c
		}
	}
	return nil
}

// allow adds an address to those that may send requests in the dialog. The guard's known sources are above
// it: an address that is not known stays without an answer.
func (p *path) allow(a netip.Addr) {
	if !slices.Contains(p.peers, a) && len(p.peers) < maxPeers {
		p.peers = append(p.peers, a)
	}
}

const maxPeers = 16

func (p *path) allowHost(host string) {
	if a, err := literal(host); err == nil {
		p.allow(a)
	}
}

// from reports whether a request in the dialog may come from a.
func (p *path) from(a netip.Addr) bool { return slices.Contains(p.peers, a) }

// exposed reports whether a request over a network would leave the protection that the dialog began with.
func (p *path) exposed(network string) bool { return isSecure(p.network) && !isSecure(network) }

// hop returns where requests in the dialog go. Over TCP and TLS that is the connection's other end for as long as
// it is open; this is the address to connect to after that, and the one for UDP: the first route or else the
// target (section 12.2.1.1). A name, or an address that the peer can not really have (behind NAT), is
// replaced by where its packets come from; so nobody's name is ever looked up for a request in a dialog.
func (p *path) hop() netip.AddrPort {
	uri := p.next()
	a, err := literal(uri.Host)
	if err != nil || p.nat || !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return p.flow
	}
	src := p.flow.Addr()
	if a != src && (a.IsLoopback() != src.IsLoopback() || inside(a) && !inside(src)) {
		return p.flow
	}
	port := uri.Port
	if port <= 0 || port > 65535 {
		port = defaultPort(p.network)
	}
	return netip.AddrPortFrom(a, uint16(port))
}

// next is the first route or else the target.
func (p *path) next() sip.Uri {
	if len(p.routes) > 0 {
		return p.routes[0]
	}
	return p.target
}

// inside reports whether an address means something on its own network only (RFC 1918, 4193, 6598, 3927).
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() ||
		a.Is4() && netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10).Contains(a)
}

// literal reads a host that is an address.
func literal(host string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return a.Unmap().WithZone(""), err
}

// route puts the Request-URI and the Route headers onto a request (section 12.2.1.1).
func (p *path) route(req *sip.Request) {
	routes := p.routes
	req.Recipient = *p.target.Clone()
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router of RFC 2543
		req.Recipient = *routes[0].Clone()
		routes = append(slices.Clone(routes[1:]), p.target)
	}
	for i := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: *routes[i].Clone()})
	}
}

// via returns the Via of a request of ours, with a branch of its own (section 8.1.1.7, RFC 3581).
func (p *path) via() *sip.ViaHeader {
	v := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(p.network),
		Host: p.self.Host, Port: p.self.Port,
	}
	v.Params.Add("branch", sip.RFC3261BranchMagicCookie+newTag())
	v.Params.Add("rport", "")
	return v
}

// contact returns our Contact.
func (p *path) contact() *sip.ContactHeader { return &sip.ContactHeader{Address: *p.self.Clone()} }

// address sets where a request of ours goes, and over UDP from which socket.
func (p *path) address(req *sip.Request, to netip.AddrPort) {
	req.SetTransport(strings.ToUpper(carrier(p.network)))
	req.SetDestination(to.String())
	if p.network == "udp" {
		req.Laddr = sip.Addr{IP: p.socket.Addr().AsSlice(), Port: int(p.socket.Port())}
	}
}
