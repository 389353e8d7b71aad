package main

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"passerelle/config"
	"passerelle/sip"
)

// welcome says in a few lines what to dial, what to open, and who is answered.
func (h *house) welcome(w io.Writer) {
	page := ""
	if h.page() != nil {
		page = h.web[0].listener.Addr().String()
	}
	welcome(w, h.config, page, h.addrs())
}

// addrs are where SIP is listened for.
func (h *house) addrs() []sip.Listener {
	var all []sip.Listener
	for _, t := range h.phones {
		all = append(all, t.server.Addrs()...)
	}
	return all
}

// welcome says so of a house whose page is at one address, if it has one, and whose phones call the others.
func welcome(w io.Writer, c *config.Config, page string, phones []sip.Listener) {
	number, route := toDial(&c.Live)
	fmt.Fprintf(w, "Passerelle %s\n", version)
	for _, l := range phones {
		addr := reachable(l.Addr.String())
		switch {
		case l.Addr.Addr() == netip.IPv6Unspecified(): // its IPv4 twin has been named
		case route == nil:
			fmt.Fprintf(w, "  listens on %s://%s\n", l.Network, addr)
		case l.Network == "ws" || l.Network == "wss": // who calls there has a page that does
			fmt.Fprintf(w, "  joins  browser phones at %s://%s\n", l.Network, addr)
		case l.Network == "udp":
			fmt.Fprintf(w, "  dial   sip:%s@%s\n", userPart(number), addr)
		default:
			fmt.Fprintf(w, "  dial   sip:%s@%s;transport=%s\n", userPart(number), addr, l.Network)
		}
	}
	if page != "" {
		fmt.Fprintf(w, "  open   %s/%s\n", pageURL(c.Static.HTTP, page), url.PathEscape(toOpen(c, number, route)))
	}
	for _, e := range c.Static.Engines {
		if e.LiveKit != nil {
			fmt.Fprintf(w, "  seats  callers in rooms of %s, at %s\n", e.Name, e.LiveKit.URL)
		}
	}
	fmt.Fprintf(w, "  takes  %s\n", answered(c))
}

// toDial finds a number that some caller may dial, and the route that takes it: that of the first route for
// one number, or else a room's name or "lobby" where a route takes it.
func toDial(live *config.Live) (number string, route *config.Route) {
	for i := range live.Routes {
		if r := &live.Routes[i]; r.To != "" && (r.Room != "" || r.Menu != "") {
			return r.To, r
		}
	}
	for i := range live.Routes {
		r := &live.Routes[i]
		if r.Room == "" || r.ToMatch == nil {
			continue // what was dialled may be a PIN
		}
		for _, name := range append(roomNames(live), lobby) {
			if r.ToMatch.MatchString(name) {
				return name, r
			}
		}
	}
	return "", nil
}

// lobby is a room's name for whoever has none of their own.
const lobby = "lobby"

func roomNames(live *config.Live) []string {
	var names []string
	for _, r := range live.Rooms {
		names = append(names, r.Name)
	}
	return names
}

// toOpen finds a room with a page: the one that the number leads to, if it is of the embedded engine.
func toOpen(c *config.Config, number string, route *config.Route) string {
	for _, e := range c.Static.Engines {
		if e.Embedded == nil || route == nil || route.Engine != e.Name {
			continue
		}
		if route.ToMatch == nil {
			return route.Room
		}
		groups := route.ToMatch.FindStringSubmatchIndex(number)
		return string(route.ToMatch.ExpandString(nil, route.Room, number, groups))
	}
	if names := roomNames(&c.Live); len(names) > 0 {
		return names[0]
	}
	if c.Live.AnyRoom {
		return lobby
	}
	return ""
}

// userPart escapes what was dialled for a SIP URI (RFC 3261 section 25.1, user).
func userPart(number string) string {
	const plain = "-_.!~*'()&=+$,;?/"
	var b strings.Builder
	for _, c := range []byte(number) {
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// pageURL is where the page is, as browsers see it.
func pageURL(c config.HTTP, listen string) string {
	switch {
	case c.PublicURL != nil:
		return strings.TrimSuffix(c.PublicURL.String(), "/")
	case c.TLS != nil:
		return "https://" + reachable(listen)
	}
	return "http://" + reachable(listen)
}

// answered says whose calls are taken.
func answered(c *config.Config) string {
	if c.File == "" {
		return "calls from loopback and private addresses, to any room (no configuration file)"
	}
	var names []string
	for _, t := range c.Live.Trunks {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return "no calls: " + c.File + " names no trunk"
	}
	return fmt.Sprintf("calls from %s (%s); everybody else gets silence", strings.Join(names, ", "), c.File)
}

// reachable is a listening address as somebody on this machine would type it.
func reachable(listen string) string {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil || !addr.Addr().IsUnspecified() {
		return listen
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port()).String()
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
