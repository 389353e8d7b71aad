package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/term"
)

// welcome says in a few lines what to dial, what to open, and who is answered.
func (h *house) welcome(w io.Writer) {
	web := h.config.Static.HTTP
	scheme := "http"
	if web.TLS != nil {
		scheme = "https"
	}
	page := fmt.Sprintf("%s://%s", scheme, reachable(h.web[0].listener.Addr().String()))
	if web.PublicURL != nil {
		page = strings.TrimSuffix(web.PublicURL.String(), "/")
	}
	room := "lobby"
	if len(h.config.Live.Rooms) > 0 && !h.config.Live.AnyRoom {
		room = h.config.Live.Rooms[0].Name
	}

	fmt.Fprintf(w, "Passerelle %s\n", version)
	for _, l := range h.phones.Addrs() {
		if l.Addr.Addr() == netip.IPv6Unspecified() {
			continue // its IPv4 twin has been named
		}
		target := fmt.Sprintf("sip:%s@%s", room, reachable(l.Addr.String()))
		if l.Network != "udp" {
			target += ";transport=" + l.Network
		}
		fmt.Fprintf(w, "  dial   %s\n", target)
	}
	fmt.Fprintf(w, "  open   %s/%s\n", page, room)
	fmt.Fprintf(w, "  takes  %s\n", h.answered())
}

// answered says whose calls are taken.
func (h *house) answered() string {
	if h.config.File == "" {
		return "calls from loopback and private addresses, to any room (no configuration file)"
	}
	var names []string
	for _, t := range h.config.Live.Trunks {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return "no calls: " + h.config.File + " names no trunk"
	}
	return fmt.Sprintf("calls from %s (%s); everybody else gets silence", strings.Join(names, ", "), h.config.File)
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
