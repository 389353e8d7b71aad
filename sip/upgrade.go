package sip

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// Who comes to a ws or wss listener speaks HTTP first, and asks for a WebSocket with the subprotocol "sip" (RFC 7118
// section 4). What became one goes to the streams; nothing else is served.

// subprotocol is SIP's name among those of WebSockets.
const subprotocol = "sip"

// maxRequest bounds the header of an HTTP request in bytes. It has the cookies of a whole site in it.
const maxRequest = 16 << 10

// web is the HTTP side of the ws and wss listeners.
type web struct {
	streams *streams
	origins []string
	over    *handover
	talking sync.WaitGroup // connections that are still HTTP's
	pings   sync.WaitGroup // goroutines that watch WebSockets
}

// visitor is a connection while it speaks HTTP.
type visitor struct {
	net.Conn
	network string // "ws" or "wss"
	release func() // its place among the handshakes; may be called more than once
}

// Close gives its place back too.
func (v *visitor) Close() error {
	v.release()
	return v.Conn.Close()
}

type visitorKey struct{}

// open gives a connection to HTTP.
func (w *web) open(ctx context.Context, v *visitor) error {
	select {
	case w.over.conns <- v:
		return nil
	case <-w.over.done:
	case <-ctx.Done():
	}
	v.release()
	return ErrShutdown
}

// serve speaks HTTP until the handover is closed, and returns when nobody speaks it any more.
func (w *web) serve(ctx context.Context) {
	defer recovered(w.streams.log, "HTTP")
	patience := w.streams.guard.limits.HandshakeTime
	server := &http.Server{
		Handler:     http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.upgrade(ctx, rw, r) }),
		ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: maxRequest,
		ErrorLog: slog.NewLogLogger(demoted{w.streams.log.Handler()}, slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, visitorKey{}, c)
		},
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				w.talking.Add(1)
			case http.StateClosed, http.StateHijacked:
				w.talking.Done()
			case http.StateActive, http.StateIdle:
			}
		},
	}
	server.SetKeepAlivesEnabled(false)
	_ = server.Serve(w.over) // it ends when the handover is closed
	_ = server.Close()
	w.talking.Wait()
	w.pings.Wait()
}

// upgrade makes a WebSocket of a request, or refuses it.
func (w *web) upgrade(ctx context.Context, rw http.ResponseWriter, r *http.Request) {
	v, ok := r.Context().Value(visitorKey{}).(*visitor)
	if !ok {
		http.Error(rw, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.talking.Add(1) // the connection is, and so is this
	defer w.talking.Done()
	src := addrPort(v.RemoteAddr())
	guard := w.streams.guard
	switch {
	case !fromHere(r, w.origins):
		guard.knocked(src, v.network, "WebSocket of a page of another origin")
		http.Error(rw, "this page may not call here", http.StatusForbidden)
		return
	case !speaksSIP(r):
		guard.knocked(src, v.network, "no WebSocket for SIP")
		rw.Header().Set("Upgrade", "websocket")
		http.Error(rw, "a WebSocket with the subprotocol sip is wanted (RFC 7118)", http.StatusUpgradeRequired)
		return
	}
	c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // fromHere has looked
		OnPingReceived:     func(context.Context, []byte) bool { return guard.inTime(src) },
	})
	if err != nil {
		guard.knocked(src, v.network, "no WebSocket")
		return
	}
	c.SetReadLimit(int64(guard.limits.MessageSize))
	v.release()
	sc := newStreamConn(v, v.network, "", guard, w.streams.log, w.streams.remove)
	sc.web = &webSocket{c, context.WithoutCancel(ctx)}
	if _, err := w.streams.add(ctx, sc, true); err != nil {
		_ = c.CloseNow()
		guard.knocked(src, v.network, err.Error())
		return
	}
	w.pings.Go(func() {
		defer recovered(w.streams.log, "WebSocket ping")
		defer sc.Close()
		sc.web.watch(guard.limits.IdleTime, sc.closed)
	})
}

// speaksSIP reports whether SIP is among the subprotocols that a request asks for.
func speaksSIP(r *http.Request) bool {
	for _, list := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(name), subprotocol) {
				return true
			}
		}
	}
	return false
}

// fromHere reports whether the page that a request comes from may call here: a browser says whose page it is (RFC 6455
// section 10.2). What says nothing is no browser. Without any that are allowed it is a page of the host that the
// WebSocket is at, on whatever port.
func fromHere(r *http.Request, allowed []string) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(allowed) > 0 {
		return slices.Contains(allowed, AnyOrigin) ||
			len(origins) == 1 && slices.ContainsFunc(allowed, func(o string) bool { return strings.EqualFold(o, origins[0]) })
	}
	u, err := url.Parse(origins[0])
	host := &url.URL{Host: r.Host}
	return len(origins) == 1 && err == nil && u.Hostname() != "" && strings.EqualFold(u.Hostname(), host.Hostname())
}
