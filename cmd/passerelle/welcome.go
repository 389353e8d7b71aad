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
	welcome(w, h.config, h.web[0].listener.Addr().String(), h.phones.Addrs())
}

// welcome says so of a house whose page is at one address, and whose phones call the others.
func welcome(w io.Writer, c *config.Config, page string, phones []sip.Listener) {
	number, room, known := toDial(&c.Live)
	fmt.Fprintf(w, "Passerelle %s\n", version)
	for _, l := range phones {
		addr := reachable(l.Addr.String())
		switch {
		case l.Addr.Addr() == netip.IPv6Unspecified(): // its IPv4 twin has been named
		case !known:
			fmt.Fprintf(w, "  listens on %s://%s\n", l.Network, addr)
		case l.Network == "udp":
			fmt.Fprintf(w, "  dial   sip:%s@%s\n", userPart(number), addr)
		default:
			fmt.Fprintf(w, "  dial   sip:%s@%s;transport=%s\n", userPart(number), addr, l.Network)
		}
	}
	fmt.Fprintf(w, "  open   %s/%s\n", pageURL(c.Static.HTTP, page), url.PathEscape(room))
	fmt.Fprintf(w, "  takes  %s\n", answered(c))
}

// toDial finds a number that some caller may dial, and its room: that of the first route for one number, or
// else a room's name or "lobby" where a route takes it. The room is one to open where there is no number.
func toDial(live *config.Live) (number, room string, known bool) {
	for _, r := range live.Routes {
		if r.ToMatch == nil {
			return r.To, r.Room, true
		}
	}
	var names []string
	for _, r := range live.Rooms {
		names = append(names, r.Name)
	}
	const lobby = "lobby"
	for _, r := range live.Routes {
		for _, name := range append(names, lobby) {
			if groups := r.ToMatch.FindStringSubmatchIndex(name); groups != nil {
				return name, string(r.ToMatch.ExpandString(nil, r.Room, name, groups)), true
			}
		}
	}
	switch {
	case len(names) > 0:
		room = names[0]
	case live.AnyRoom:
		room = lobby
	}
	return "", room, false
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
