package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
)

// TLS is how the tls listeners say who we are, and how they learn who comes (RFC 3261 section 26.3.1).
type TLS struct {
	// Server is our side of the handshake where peers connect; it has our certificate. What it leaves
	// open is TLS 1.2 at least, with ephemeral keys and authenticated encryption only.
	Server *tls.Config

	// Client is our side where we connect, likewise; nil: the certificates that this machine trusts.
	Client *tls.Config

	// Suites returns the suites of TLS 1.2 that are spoken with a peer beside those, where it calls and where it is
	// called. It is asked at every handshake. Nil: none with anybody.
	Suites func(peer netip.AddrPort) []uint16

	// Expects tells whether a source that is not known by its address may be known by its certificate.
	// Only such a source, of those that are not known, gets to begin a handshake. Nil: none may.
	Expects func(src netip.AddrPort) bool

	// Peer returns whose certificate this is, "" where it is nobody's that we know. chain is what the
	// peer sent, its own certificate first: that it has the key has been seen, that anybody vouches for
	// it has not. Nil: nobody is asked for a certificate.
	Peer func(src netip.AddrPort, chain []*x509.Certificate) string
}

// server returns the configuration of our listeners.
func (t TLS) server() *tls.Config {
	c := secured(t.Server)
	if t.Peer != nil {
		c.ClientAuth = tls.RequestClientCert // Peer verifies: each peer may have an authority of its own
	}
	return c
}

// with returns what a handshake with a peer goes by: c, or c with the weaker suites that are spoken with this peer. Sessions
// of those are not resumed.
func (t TLS) with(c *tls.Config, peer netip.AddrPort) *tls.Config {
	if t.Suites == nil {
		return c
	}
	weaker := t.Suites(peer)
	if len(weaker) == 0 {
		return c
	}
	c = c.Clone()
	c.CipherSuites = slices.Concat(c.CipherSuites, weaker) // crypto/tls takes the best that both have, whatever the order
	c.SessionTicketsDisabled = true
	return c
}

// client returns the configuration of a connection of ours to host, an address or a name, at peer.
func (t TLS) client(host string, peer netip.AddrPort) *tls.Config {
	c := t.with(secured(t.Client), peer)
	if c.ServerName == "" {
		c.ServerName = host
	}
	return c
}

// secured returns a copy of c that speaks TLS 1.2 at least. All that TLS 1.3 has is good; of 1.2 it is what has
// ephemeral keys and authenticated encryption.
func secured(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.CipherSuites == nil {
		c.CipherSuites = StrongSuites()
	}
	return c
}

// StrongSuites are those of TLS 1.2 that are spoken with everybody.
func StrongSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

var (
	errNoHandshake = errors.New("no TLS handshake")
	errNoPeer      = errors.New("certificate of nobody who is known")
)

// shake brings an accepted connection through the handshake and hands it over, or closes it without a word.
// It is called on a goroutine of its own: the handshake takes as long as the peer likes, up to HandshakeTime.
func (s *streams) shake(ctx context.Context, raw net.Conn, network string) {
	defer recovered(s.log, "TLS handshake")
	src := addrPort(raw.RemoteAddr())
	known := s.guard.knows(src)
	err := s.handshake(ctx, raw, network, known)
	if err == nil {
		return
	}
	_ = raw.Close()
	s.guard.knocked(src, network, err.Error())
}

// handshake does it. A source that only a certificate can make known costs us a signature before it has shown
// one: there is a rate for all of those, and a bound for how many are at it at once. Over wss nobody shows one.
func (s *streams) handshake(ctx context.Context, raw net.Conn, network string, known bool) error {
	src, config := addrPort(raw.RemoteAddr()), s.secure
	if network == "wss" {
		config = s.browsers
	}
	if !known && (network == "wss" || s.tls.Expects == nil || !s.tls.Expects(src)) {
		return errUnknown
	}
	release, err := s.reserve(src.Addr(), !known)
	if err != nil {
		return err
	}
	handedOver := false
	defer func() {
		if !handedOver {
			release()
		}
	}()
	markTCP(raw, s.dscp)
	patience, cancel := context.WithTimeout(ctx, s.guard.limits.HandshakeTime)
	defer cancel()
	c := tls.Server(raw, s.tls.with(config, src))
	if err := c.HandshakeContext(patience); err != nil {
		s.log.Debug("TLS handshake", "peer", src, "error", err)
		return errNoHandshake
	}
	peer := ""
	if chain := c.ConnectionState().PeerCertificates; s.tls.Peer != nil && len(chain) > 0 {
		peer = s.tls.Peer(src, chain)
	}
	if !known && peer == "" {
		return errNoPeer
	}
	s.agreed(c.ConnectionState(), src)
	if network == "wss" {
		handedOver = true
		return s.web.open(ctx, &visitor{c, network, release})
	}
	release()
	_, err = s.add(ctx, newStreamConn(c, network, peer, s.guard, s.log, s.remove), true)
	return err
}

// reserve counts a connection that is in its handshake. release may be called more than once.
func (s *streams) reserve(a netip.Addr, stranger bool) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, limits := network(a), s.guard.limits
	switch {
	case s.closed,
		len(s.conns)+s.shaking >= limits.Connections,
		s.counts[from] >= limits.ConnectionsPerAddress,
		stranger && (s.strangers >= limits.Strangers || s.counts[from] >= limits.StrangersPerAddress || !s.knockers.Allow()):
		return nil, errTooMany
	}
	s.counts[from]++
	s.shaking++
	if stranger {
		s.strangers++
	}
	done := false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if done {
			return
		}
		done = true
		s.shaking--
		if stranger {
			s.strangers--
		}
		s.uncount(from)
	}, nil
}

// greet is the handshake of a connection that we made.
func (s *streams) greet(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.guard.limits.HandshakeTime)
	defer cancel()
	to := addrPort(raw.RemoteAddr())
	c := tls.Client(raw, s.tls.client(host, to))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	s.agreed(c.ConnectionState(), to)
	return c, nil
}

// agreed logs what a handshake has agreed on; a weaker suite is worth a line at any time.
func (s *streams) agreed(c tls.ConnectionState, peer netip.AddrPort) {
	level := slog.LevelDebug
	if c.Version < tls.VersionTLS13 && !slices.Contains(StrongSuites(), c.CipherSuite) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "TLS connection", "peer", peer,
		"version", tls.VersionName(c.Version), "suite", tls.CipherSuiteName(c.CipherSuite))
}
