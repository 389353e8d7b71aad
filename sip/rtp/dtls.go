package rtp

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/packetio"
)

// DTLS says that the line makes its keys with a handshake of its own (RFC 5763, RFC 5764), on the RTP port. Until it is
// done nothing is sent, and nothing that comes is sound.
type DTLS struct {
	Identity     *Identity     // ours
	Fingerprints []Fingerprint // of the peer's certificate: it must fit one of them
	Active       bool          // we begin (setup:active)
	Suites       []string      // that we take, the one we like best first; empty: all that we speak
	ICE          *ICE          // where the peer shows with checks where it is; nil: Remote is where
}

const (
	// handshakeTime is how long after the answer a peer may take until there are keys, ICE included.
	handshakeTime = 15 * time.Second
	// maxFlights is how many datagrams of a handshake may wait to be looked at; more are lost, and sent again.
	maxFlights = 32
)

// checked refuses what cannot be.
func (d *DTLS) checked(p Params) error {
	switch {
	case d == nil:
		return nil
	case p.SRTP != nil:
		return errors.New("keys of the SDP and of a handshake")
	case d.Identity == nil || len(d.Fingerprints) == 0:
		return errors.New("a handshake without a certificate or a fingerprint")
	case d.ICE != nil && !p.RTCPMux:
		return errors.New("ICE without rtcp-mux")
	case d.ICE != nil:
		return d.ICE.checked()
	}
	return nil
}

// continues reports whether d goes on with the association of e: with the same certificates, and as the same
// side of the handshake (RFC 8842 section 5.1). An ICE restart is none of its business (section 5.1 there, RFC 5763 section 6.7.1).
func (d *DTLS) continues(e *DTLS) bool {
	return e != nil && d.Identity == e.Identity && d.Active == e.Active && (d.ICE == nil) == (e.ICE == nil) &&
		slices.EqualFunc(d.Fingerprints, e.Fingerprints, func(f, g Fingerprint) bool {
			return f.Hash == g.Hash && bytes.Equal(f.Digest, g.Digest)
		})
}

// association is one handshake with its keys, and the alerts behind it: the packets of it that have come, and where
// its own go. It is a net.PacketConn as pion/dtls wants one.
type association struct {
	*packetio.Buffer // what has come
	line             *Line
	dtls             *DTLS
	from             atomic.Pointer[netip.AddrPort] // where its last packet came from
	path             chan struct{}                  // closed when there is a way to the peer
	found            func()
	wrong            atomic.Bool // the certificate was another than the SDP's
}

func newAssociation(l *Line, d *DTLS) *association {
	a := &association{Buffer: packetio.NewBuffer(), line: l, dtls: d, path: make(chan struct{})}
	a.SetLimitCount(maxFlights)
	a.found = sync.OnceFunc(func() { close(a.path) })
	if d.ICE == nil {
		a.found()
	}
	return a
}

// arrived takes a packet of the peer's. Where there are too many it is lost.
func (a *association) arrived(from netip.AddrPort, data []byte) {
	a.from.Store(&from)
	_, _ = a.Write(data, nil)
}

// ReadFrom returns the next packet that has come.
func (a *association) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := a.Read(b, nil)
	return n, a.LocalAddr(), err
}

// WriteTo sends a packet to the peer, wherever that is now. Where it is nowhere the packet is lost.
func (a *association) WriteTo(b []byte, _ net.Addr) (int, error) {
	to := a.line.handshakeDestination(a)
	if !to.IsValid() {
		return len(b), nil
	}
	return a.line.pair.rtp.WriteToUDPAddrPort(b, to)
}

// LocalAddr stands for both ends: where packets go is not the library's to say.
func (a *association) LocalAddr() net.Addr { return a.line.pair.rtp.LocalAddr() }

// SetDeadline is SetReadDeadline: no write waits.
func (a *association) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }

// SetWriteDeadline does nothing: no write waits.
func (a *association) SetWriteDeadline(time.Time) error { return nil }

// handshakeDestination is where the packets of a handshake go: with ICE to the nominated address, else to where the
// peer's come from, and before that to where the SDP says.
func (l *Line) handshakeDestination(a *association) netip.AddrPort {
	if from := a.from.Load(); a.dtls.ICE == nil && from != nil {
		return *from
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if held(l.in.agreed.Remote) {
		return netip.AddrPort{}
	}
	return l.in.agreed.Remote
}

// flight takes a packet of a handshake.
func (l *Line) flight(from netip.AddrPort, data []byte) {
	l.mu.Lock()
	a, ok := l.association, l.in.admitFlight(from)
	l.mu.Unlock()
	if a != nil && ok {
		a.arrived(from, data)
	}
}

// admitFlight reports whether a handshake may be had with an address.
func (in *inbound) admitFlight(from netip.AddrPort) bool {
	from = unmapped(from)
	ok := in.agreed.DTLS.ICE != nil && from == in.agreed.Remote || in.agreed.DTLS.ICE == nil && in.latch.allowed(from.Addr())
	if !ok {
		in.seen.Drops.Foreign++
	}
	return ok
}

// associate begins an association, where what was agreed on wants another, and ends the one before. Called with mu held.
func (l *Line) associate(d *DTLS) {
	if l.association != nil && d != nil && d.continues(l.association.dtls) {
		return
	}
	if l.association != nil {
		_ = l.association.Close() // its goroutine goes on to the next
	}
	if l.association = nil; d == nil {
		return
	}
	l.association = newAssociation(l, d)
	select {
	case l.associations <- struct{}{}:
	default: // it is known that there is another
	}
	if l.shake != nil {
		l.shake()
	}
}

// Secured is closed when sound can be sent as far as keys go: with the keys of a handshake, or at once where none is
// agreed on.
func (l *Line) Secured() <-chan struct{} { return l.secured }

// secure runs the associations one after the other. It ends when ctx is done, or a handshake fails.
func (l *Line) secure(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.associations:
		}
		l.mu.Lock()
		a := l.association
		l.mu.Unlock()
		if a == nil {
			continue // no handshake any more
		}
		err := l.attend(ctx, a)
		l.mu.Lock()
		superseded := l.association != a
		l.mu.Unlock()
		if err != nil && !superseded && ctx.Err() == nil {
			return err
		}
	}
}

// attend has the handshake of one association, and keeps it until the next begins or ctx is done: the peer may not have
// heard our last flight, and asks for it again.
func (l *Line) attend(ctx context.Context, a *association) error {
	stop := context.AfterFunc(ctx, func() { _ = a.Close() })
	defer stop()
	conn, err := a.handshake(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	keys, err := a.keys(conn)
	if err == nil {
		err = l.keyed(a, keys)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	l.log.Debug("keys made", "suite", keys.Suite, "peer", l.handshakeDestination(a))
	var data [2048]byte
	for err == nil {
		_, err = conn.Read(data[:]) // nobody has anything to say there
	}
	return nil
}

// handshake has the handshake.
func (a *association) handshake(ctx context.Context) (*dtls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if a.dtls.Active {
		select {
		case <-a.path:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no way to the peer was found", ErrHandshake)
		}
	}
	conn, err := a.endpoint(a, a.LocalAddr())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		if a.wrong.Load() {
			return nil, ErrFingerprint
		}
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return conn, nil
}

// endpoint is our end of the handshake, over packets.
func (a *association) endpoint(packets net.PacketConn, peer net.Addr) (*dtls.Conn, error) {
	options := []dtls.Option{
		dtls.WithCertificates(a.dtls.Identity.certificate),
		dtls.WithSRTPProtectionProfiles(a.dtls.profiles()...),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithInsecureSkipVerify(true), // the fingerprint says whose it is
		dtls.WithVerifyPeerCertificate(a.verify),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
	}
	if a.dtls.Active {
		var all []dtls.ClientOption
		for _, o := range options {
			all = append(all, o)
		}
		return dtls.ClientWithOptions(packets, peer, all...)
	}
	all := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range options {
		all = append(all, o)
	}
	return dtls.ServerWithOptions(packets, peer, all...)
}

// verify looks whether the peer's certificate is the one that the SDP names (RFC 5763 section 5).
func (a *association) verify(certificates [][]byte, _ [][]*x509.Certificate) error {
	if len(certificates) > 0 && slices.ContainsFunc(a.dtls.Fingerprints, func(f Fingerprint) bool { return f.fits(certificates[0]) }) {
		return nil
	}
	a.wrong.Store(true)
	return ErrFingerprint
}

// profiles are the suites that we take, by their numbers (RFC 5764 section 4.1.2, RFC 7714 section 14.2). Those with
// AES-256 in counter mode have none.
func (d *DTLS) profiles() []dtls.SRTPProtectionProfile {
	all := []struct {
		suite   string
		profile dtls.SRTPProtectionProfile
	}{
		{"AEAD_AES_256_GCM", dtls.SRTP_AEAD_AES_256_GCM},
		{"AEAD_AES_128_GCM", dtls.SRTP_AEAD_AES_128_GCM},
		{"AES_CM_128_HMAC_SHA1_80", dtls.SRTP_AES128_CM_HMAC_SHA1_80},
		{"AES_CM_128_HMAC_SHA1_32", dtls.SRTP_AES128_CM_HMAC_SHA1_32},
	}
	var chosen []dtls.SRTPProtectionProfile
	if len(d.Suites) == 0 {
		for _, p := range all {
			chosen = append(chosen, p.profile)
		}
		return chosen
	}
	for _, name := range d.Suites {
		for _, p := range all {
			if p.suite == name {
				chosen = append(chosen, p.profile)
			}
		}
	}
	return chosen
}

// suiteOf is the suite of a number.
func suiteOf(p dtls.SRTPProtectionProfile) (string, bool) {
	switch p {
	case dtls.SRTP_AEAD_AES_256_GCM:
		return "AEAD_AES_256_GCM", true
	case dtls.SRTP_AEAD_AES_128_GCM:
		return "AEAD_AES_128_GCM", true
	case dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		return "AES_CM_128_HMAC_SHA1_80", true
	case dtls.SRTP_AES128_CM_HMAC_SHA1_32:
		return "AES_CM_128_HMAC_SHA1_32", true
	}
	return "", false
}

// secret is a key of a handshake. It prints as what it is not.
type secret struct{ bytes *[]byte }

func (s secret) Reveal() []byte { return *s.bytes }

func newSecret(parts ...[]byte) secret {
	all := slices.Concat(parts...)
	return secret{&all}
}

// keys are what the handshake has made (RFC 5764 section 4.2).
func (a *association) keys(conn *dtls.Conn) (*SRTP, error) {
	state, ok := conn.ConnectionState()
	chosen, agreed := conn.SelectedSRTPProtectionProfile()
	suite, known := suiteOf(chosen)
	if !ok || !agreed || !known {
		return nil, errors.New("no suite of SRTP in common")
	}
	p, err := profile(suite)
	if err != nil {
		return nil, err
	}
	made := srtp.Config{Profile: p}
	if err := made.ExtractSessionKeysFromDTLS(&state, a.dtls.Active); err != nil {
		return nil, fmt.Errorf("export keys: %w", err)
	}
	k := made.Keys
	return &SRTP{Suite: suite, Send: newSecret(k.LocalMasterKey, k.LocalMasterSalt), Receive: newSecret(k.RemoteMasterKey, k.RemoteMasterSalt)}, nil
}

// keyed sets the keys that a handshake has made.
func (l *Line) keyed(a *association, keys *SRTP) error {
	made, err := keys.contexts()
	if err != nil {
		return err
	}
	now := l.clock()
	own, ok := l.out.keyed(a.dtls, made, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && l.association == a { // else another has begun, or none is wanted
		l.in.own = own
		l.in.opener = newOpener(made.receive, l.in.opener, now)
		l.release()
	}
	return nil
}

// keyed is agree for keys that come later, if they are those of what is agreed on still. Another key is another SSRC.
func (o *outbound) keyed(d *DTLS, made *contexts, now time.Duration) (ssrc uint32, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.agreed.DTLS == nil || !o.agreed.DTLS.continues(d) {
		return 0, false
	}
	if o.sealer != nil {
		o.stream = newStream(o.stream.clock, now)
	}
	o.sealer = &sealer{context: made.send}
	return o.stream.ssrc, true
}
