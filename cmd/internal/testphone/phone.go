// Package testphone is a telephone without a bell: it calls a SIP address, plays a recording and keeps what it
// hears. It knows how a call is made and heard, and not who watches it.
//
// The way of a call: [Call] dials (call.go), a talker sends a packet every 20 ms (talk.go), an ear takes what
// arrives (ear.go), and a [Report] says at any time what both have done.
package testphone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/locate"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// ptime is the sound in one packet.
const ptime = 20 * time.Millisecond

// frame is the samples in one packet.
const frame = g711.Rate / 50

// hangupTimeout bounds how long the BYE may take.
const hangupTimeout = 2 * time.Second

// Config says whom to call and what to say. Only To is needed.
type Config struct {
	To     string        // "sip:room@host:port;transport=tcp"
	From   string        // user part of our address; "" is "passerelle"
	Codecs []codec.Kind  // PCMU, PCMA, the one we like best first; nil is both
	Play   []int16       // what to say, at 8000 Hz; silence follows
	Digits string        // what to dial once the call is up: 0-9, *, #, A-D
	For    time.Duration // hang up after so long; 0 waits for ctx or the other side
	SRTP   bool          // encrypt what is said and heard, or do not talk
	// TLS says who must vouch for the other side, where To asks for TLS; nil: who this machine trusts.
	TLS *tls.Config
	DNS []netip.AddrPort // who is asked where To is; none: whom this machine asks
	// FromHost is the domain of our address, "": the address that we call from; Keys answers challenges, nil: nobody does.
	FromHost string
	Keys     *digest.Keyring
	// Advertise is where the other side is told to find us, in SIP and SDP; "": the address that it is reached from.
	Advertise string
	// Ports returns those of the sound, for the address that the other side is reached from; nil: free ones of that.
	Ports func(local netip.Addr) (*rtp.Ports, error)
	// Heard takes what is heard, at 8000 Hz and in real time, from one goroutine; nil throws it away. The
	// samples are valid during the call only.
	Heard func(pcm []int16) error
	// Watch is told ten times a second how the call goes; nil is nobody. It must not block.
	Watch func(Report)
	Log   *slog.Logger // nil is silence
}

// Report is how a call goes, at one instant, or how it went.
type Report struct {
	State string        `json:"state"` // "calling", "ringing", "talking", "ended"
	To    string        `json:"to"`
	Codec string        `json:"codec,omitempty"`
	SRTP  string        `json:"srtp,omitempty"`     // the suite, where the sound is encrypted
	Setup time.Duration `json:"setup_ns,omitempty"` // from the INVITE to its answer; 0 without one
	Up    time.Duration `json:"duration_ns"`        // since the answer
	End   string        `json:"end,omitempty"`      // why it ended

	Sent      uint64 `json:"packets_sent"`
	Received  uint64 `json:"packets_received"`
	Lost      uint64 `json:"packets_lost"` // on the way to us
	SentLevel uint8  `json:"sent_level"`   // -dBov of the last packet, 127 is silence
	Level     uint8  `json:"heard_level"`

	Jitter     time.Duration `json:"jitter_ns"`
	RoundTrip  time.Duration `json:"round_trip_ns"` // 0 while unknown
	LostByPeer float64       `json:"lost_by_peer"`  // fraction, 0 to 1, as the peer last reported
	LongestGap time.Duration `json:"longest_gap_ns"`
}

// Answered reports whether the call was.
func (r Report) Answered() bool { return r.Setup > 0 }

// Call makes one call and returns its last report when it is over. Hanging up, ours (ctx or For, while it
// rings too) or theirs, is not an error; a refusal is a *sip.StatusError.
func Call(ctx context.Context, c Config) (Report, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Codecs == nil {
		c.Codecs = []codec.Kind{codec.PCMA, codec.PCMU}
	}
	p := &phone{Config: c, began: time.Now()}
	p.report.State, p.report.To = "calling", c.To

	calling, hangup := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hangup(nil)
	defer context.AfterFunc(ctx, func() { hangup(errHangup) })()
	end := guard.Root("test phone", func() error { return p.call(calling) })()
	if calling.Err() != nil && !p.snapshot().Answered() {
		end = context.Cause(calling) // whatever our giving up looked like to what it interrupted
	}
	p.update(func(r *Report) { r.State, r.End = "ended", reason(end) })
	if normal(end) {
		end = nil
	}
	return p.snapshot(), end
}

// serve runs a SIP server for one call, and f beside it.
func (p *phone) serve(ctx context.Context, local netip.Addr, resolver *locate.Resolver, f func(*sip.Server) error) error {
	var listen []sip.Listener
	for _, network := range []string{"udp", "tcp", "tls"} {
		listen = append(listen, sip.Listener{Network: network, Addr: netip.AddrPortFrom(local, 0)})
	}
	server, err := sip.Listen(sip.Config{
		Listen: listen, Locate: resolver,
		TLS: sip.TLS{Client: p.TLS, Server: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errNoCalls },
		}},
		Advertise: p.Advertise,
		Known:     func(netip.AddrPort) bool { return false }, // nobody calls a test phone
		UserAgent: "Passerelle test phone",
		Log:       p.Log,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		served <- guard.Root("SIP", func() error {
			return server.Serve(ctx, sip.HandlerFunc(func(context.Context, *sip.Dialog) {}))
		})()
	}()
	err = f(server)
	stop()
	return errors.Join(err, <-served)
}

var errNoCalls = errors.New("nobody calls a test phone")

// towards returns the local address that a SIP URI is reached from: its first target that has an address.
func towards(ctx context.Context, uri string, resolver *locate.Resolver) (netip.Addr, error) {
	targets, err := sip.Locate(ctx, resolver, uri, nil)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("dial sip:ROOM@HOST: %w", err)
	}
	for _, t := range targets {
		if t.Err != nil {
			err = t.Err
			continue
		}
		// Connecting a UDP socket asks for the route and sends nothing.
		var dialer net.Dialer
		conn, failed := dialer.DialContext(ctx, "udp", t.Addr.String())
		if failed != nil {
			err = fmt.Errorf("no way to %s: %w", t, failed)
			continue
		}
		defer conn.Close()
		local, err := netip.ParseAddrPort(conn.LocalAddr().String())
		return local.Addr().Unmap(), err
	}
	return netip.Addr{}, err
}

// lineParams is what was agreed on, as the line wants it.
func lineParams(m sdp.Media, signalling netip.Addr) rtp.Params {
	return rtp.Params{
		Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, RTCPMux: m.RTCPMux, Signalling: signalling,
		Kind: m.Kind, PayloadType: m.PayloadType, PTime: ptime,
		TelephoneEvent: m.TelephoneEvent, EventClock: m.EventClock,
		Send: m.Direction.Sends(), Receive: m.Direction.Receives(), SRTP: lineKeys(m.Crypto),
	}
}

// lineKeys are the keys that were agreed on, likewise; nil where there are none.
func lineKeys(c *sdp.Crypto) *rtp.SRTP {
	if c == nil {
		return nil
	}
	return &rtp.SRTP{
		Suite: string(c.Suite), Send: c.Ours, Receive: c.Theirs,
		SendMKI: c.OurMKI, ReceiveMKI: c.TheirMKI, ClearRTCP: c.ClearRTCP,
	}
}
