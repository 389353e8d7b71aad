package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"

	"passerelle/config"
)

// listenAdmin takes the port where the running gateway is asked about itself (docs/admin.md).
func (h *house) listenAdmin(c config.Admin) (*web, error) {
	listener, err := net.Listen("tcp", c.Listen.String())
	if err != nil {
		return nil, taken("admin.listen", c.Listen.String(), err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/knocks", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.knocks.List()) })
	mux.HandleFunc("GET /v1/calls", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.gateway.Calls()) })
	mux.HandleFunc("GET /v1/trunks", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.trunks()) })
	mux.HandleFunc("GET /v1/phones", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.allPhones()) })
	mux.HandleFunc("POST /v1/phones/{user}/options", h.askPhone)
	if h.cluster != nil {
		mux.HandleFunc("GET /v1/gateways", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.cluster.State()) })
	}
	mux.HandleFunc("GET /v1/config/changes", func(w http.ResponseWriter, _ *http.Request) { h.say(w, h.pending()) })
	mux.HandleFunc("GET /v1/dial/{room}", h.invite)
	mux.HandleFunc("POST /v1/rooms/{room}/calls", h.callsOut.post)
	mux.HandleFunc("DELETE /v1/calls/{id}", h.callsOut.delete)
	return &web{name: "the admin's desk (admin.listen)", listener: listener, server: &http.Server{
		Handler: admitted(c.Token, mux), ReadHeaderTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
	}}, nil
}

// say answers with JSON.
func (h *house) say(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(what); err != nil {
		h.log.Debug("answer not sent", "error", err)
	}
}

// pending is what a reload would change.
type pending struct {
	File    string          `json:"file"` // absolute; "" if there is none
	Error   string          `json:"error,omitempty"`
	Changes []config.Change `json:"changes"`
}

// pending loads the gateway's own file, and does nothing with it.
func (h *house) pending() pending {
	p := pending{File: absolute(h.inForce.Load().File)}
	_, changes, err := h.next()
	if err != nil {
		p.Error = err.Error()
	}
	p.Changes = changes
	return p
}

// absolute is a path from everywhere.
func absolute(file string) string {
	if path, err := filepath.Abs(file); err == nil && file != "" {
		return path
	}
	return file
}

// admitted lets those through who show the token. Without one only this machine can ask; a browser on it must not, sent
// by a page of somebody else whose name points here, nor by one that posts here without reading the answer: calls cost money.
func admitted(token config.Secret, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token.Reveal()))
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		switch {
		case !token.IsEmpty() && subtle.ConstantTimeCompare(want[:], shown[:]) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a token is wanted (admin.token)", http.StatusUnauthorized)
		case token.IsEmpty() && !local(r.Host):
			http.Error(w, "this is for this machine", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// local reports whether a Host header names this machine by its loopback address.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && addr.IsLoopback()
}
