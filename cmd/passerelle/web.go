package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/config"
)

// Limits of the page's server.
const (
	headerTime   = 10 * time.Second
	answerTime   = 30 * time.Second // a WebSocket has left the server by then
	idleTime     = 2 * time.Minute
	headerBytes  = 16 << 10
	webCloseTime = 2 * time.Second
)

// web serves HTTP at one address: the page, or the counters of --debug.
type web struct {
	name     string // what it serves, and the setting that says where
	listener net.Listener
	server   *http.Server
}

// listenWeb takes the page's port.
func listenWeb(c config.HTTP, handler http.Handler, log *slog.Logger) (*web, error) {
	listener, err := net.Listen("tcp", c.Listen.String())
	if err != nil {
		return nil, taken("http.listen", c.Listen.String(), err)
	}
	w := &web{name: "the page (http.listen)", listener: listener, server: &http.Server{
		Handler:           behindProxy(c.BehindProxy, handler),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if c.TLS != nil {
		w.server.TLSConfig, err = proof(*c.TLS, log)
		if err != nil {
			listener.Close()
			return nil, fmt.Errorf("http.tls: %w", err)
		}
	}
	return w, nil
}

// run serves until ctx is done and every request has its answer, for which there is webCloseTime.
func (w *web) run(ctx context.Context) error {
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		closed <- guard.Root("close "+w.name, func() error { w.shutdown(ctx); return nil })()
	})
	var err error
	if w.server.TLSConfig != nil {
		err = w.server.ServeTLS(w.listener, "", "")
	} else {
		err = w.server.Serve(w.listener)
	}
	var closing error
	if !stop() { // Serve returned when the server began to close, and not when it had
		closing = <-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return closing
	}
	return fmt.Errorf("serve %s: %w", w.name, err)
}

// shutdown waits for the requests that are being answered, and then cuts them.
func (w *web) shutdown(ctx context.Context) {
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), webCloseTime)
	defer cancel()
	if w.server.Shutdown(patience) != nil {
		w.server.Close()
	}
}

func (w *web) close() { w.listener.Close() }

// behindProxy puts the browser's address into RemoteAddr where a proxy that is believed says it: the last
// one of X-Forwarded-For that is not a proxy's own.
func behindProxy(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	believed := func(addr netip.Addr) bool {
		for _, p := range proxies {
			if p.Contains(addr.Unmap()) {
				return true
			}
		}
		return false
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && believed(peer.Addr()) {
			hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
			for i := len(hops) - 1; i >= 0; i-- {
				addr, ok := hop(strings.TrimSpace(hops[i]))
				if !ok {
					break
				}
				r.RemoteAddr = netip.AddrPortFrom(addr, 0).String()
				if !believed(addr) {
					break
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// hop reads one address of X-Forwarded-For: bare, in brackets, or with a port, as some proxies write it.
func hop(text string) (addr netip.Addr, ok bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), true
	}
	if bare, found := strings.CutPrefix(text, "["); found {
		if text, found = strings.CutSuffix(bare, "]"); !found {
			return addr, false
		}
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}
