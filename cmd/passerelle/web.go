package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"passerelle/config"
)

// Limits of the page's server.
const (
	headerTime      = 10 * time.Second
	idleTime        = 2 * time.Minute
	headerBytes     = 16 << 10
	webCloseTime    = 2 * time.Second
	certificateTime = 10 * time.Second // how often the certificate's files are looked at
)

// web serves the page.
type web struct {
	listener net.Listener
	server   *http.Server
}

// listenWeb takes the page's port.
func listenWeb(c config.HTTP, handler http.Handler, log *slog.Logger) (*web, error) {
	listener, err := net.Listen("tcp", c.Listen.String())
	if err != nil {
		return nil, taken("http.listen", c.Listen.String(), err)
	}
	w := &web{listener: listener, server: &http.Server{
		Handler:           behindProxy(c.BehindProxy, handler),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if c.TLS != nil {
		pair := &keyPair{cert: c.TLS.Cert, key: c.TLS.Key, log: log}
		if err := pair.load(); err != nil {
			listener.Close()
			return nil, fmt.Errorf("http.tls: %w", err)
		}
		w.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	}
	return w, nil
}

// run serves until ctx is done.
func (w *web) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), webCloseTime)
		defer cancel()
		if w.server.Shutdown(closing) != nil {
			w.server.Close()
		}
	})
	defer stop()
	var err error
	if w.server.TLSConfig != nil {
		err = w.server.ServeTLS(w.listener, "", "")
	} else {
		err = w.server.Serve(w.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the page: %w", err)
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
				addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
				if err != nil {
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

// keyPair is a certificate that is read again when its files change, so that a renewal needs no restart.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	seen    time.Time // when the files were last looked at
	changed time.Time // their newest change that has been read
}

// load reads the files now.
func (k *keyPair) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(time.Now())
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.seen) > certificateTime {
		if err := k.read(now); err != nil {
			k.log.Error("the new certificate cannot be used, the old one stays", "error", err)
		}
	}
	return k.pair, nil
}

// read reads the files if they have changed. The lock is held.
func (k *keyPair) read(now time.Time) error {
	k.seen = now
	newest := time.Time{}
	for _, file := range []string{k.cert, k.key} {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if k.pair != nil && newest.Equal(k.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return err
	}
	if k.pair != nil {
		k.log.Info("new certificate", "file", k.cert)
	}
	k.pair, k.changed = &pair, newest
	return nil
}
