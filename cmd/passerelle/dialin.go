package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"time"

	"rsc.io/qr"

	"passerelle/bridge"
	"passerelle/rooms/sfu"
)

// invitation is the answer of GET /v1/dial/ROOM.
type invitation struct {
	bridge.DialIn
	SIP string `json:"sip,omitempty"` // a sip: URI
	QR  string `json:"qr"`            // a data: URI, a PNG of tel, or else of sip
}

// invite answers how a room is dialled.
func (h *house) invite(w http.ResponseWriter, r *http.Request) {
	in, ok := bridge.HowToDial(h.live(), r.PathValue("room"), r.URL.Query().Get("pin"), time.Now())
	if !ok {
		http.Error(w, "no route leads there; a room behind a menu wants ?pin=", http.StatusNotFound)
		return
	}
	all := invitation{DialIn: in, SIP: in.SIP(h.sipHost(r.Host))}
	text := all.Tel
	if text == "" {
		text = all.SIP
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		http.Error(w, "too long for a QR code", http.StatusBadRequest)
		return
	}
	if r.URL.Query().Has("png") {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Cache-Control", "no-store")
		if _, err := w.Write(code.PNG()); err != nil {
			h.log.Debug("answer not sent", "error", err)
		}
		return
	}
	all.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())
	h.say(w, all)
}

// waysInto is how the page invites telephones: by number, and by SIP where it is said where that is.
func (h *house) waysInto(room string) []sfu.Way {
	in, ok := bridge.HowToDial(h.live(), room, "", time.Now())
	if !ok {
		return nil
	}
	w := sfu.Way{Number: in.Shown(), PIN: in.PIN}
	if advertised(h.config.Static.Networks[0].Advertise) != "" {
		w.URI = in.SIP(h.sipHost(""))
	}
	if w.Number == "" && w.URI == "" {
		return nil
	}
	return []sfu.Way{w}
}

// sipHost is where phones find this gateway: at what is advertised, else at the first listener; where that is on all
// addresses, at the host that was asked.
func (h *house) sipHost(asked string) string {
	listener := h.phones[0].server.Addrs()[0]
	host := advertised(h.config.Static.Networks[0].Advertise)
	switch {
	case host == "" && !listener.Addr.Addr().IsUnspecified():
		host = listener.Addr.Addr().String()
	case host == "":
		host = asked
		if name, _, err := net.SplitHostPort(asked); err == nil {
			host = name
		}
	}
	if addr := net.ParseIP(host); addr != nil && addr.To4() == nil {
		host = "[" + host + "]"
	}
	if port := listener.Addr.Port(); port != 5060 {
		host += fmt.Sprintf(":%d", port)
	}
	if listener.Network != "udp" {
		host += ";transport=" + listener.Network
	}
	return host
}
