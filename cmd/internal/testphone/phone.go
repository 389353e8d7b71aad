// Package testphone is a telephone without a bell: it calls a SIP address, plays a recording and keeps what it
// hears. It knows how a call is made and heard, and not who watches it.
//
// The way of a call: [Call] dials (call.go), a talker sends a packet every 20 ms (talk.go), an ear takes what
// arrives (ear.go), and a [Report] says at any time what both have done.
package testphone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/sip"
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
func serve(ctx context.Context, local netip.Addr, network string, log *slog.Logger, f func(*sip.Server) error) error {
	server, err := sip.Listen(sip.Config{
		Listen:    []sip.Listener{{Network: network, Addr: netip.AddrPortFrom(local, 0)}},
		Known:     func(netip.AddrPort) bool { return false }, // nobody calls a test phone
		UserAgent: "Passerelle test phone",
		Log:       log,
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

// towards returns the transport that a SIP URI asks for, and the local address that its host is reached from.
func towards(ctx context.Context, uri string) (network string, local netip.Addr, err error) {
	rest, ok := strings.CutPrefix(uri, "sip:")
	if !ok {
		return "", netip.Addr{}, fmt.Errorf("%q is not a SIP address: dial sip:ROOM@HOST", uri)
	}
	rest, parameters, _ := strings.Cut(rest, ";")
	network = "udp"
	if strings.Contains(strings.ToLower(";"+parameters+";"), ";transport=tcp;") {
		network = "tcp"
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "5060")
	}
	// Connecting a UDP socket asks for the route and sends nothing.
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", host)
	if err != nil {
		return "", netip.Addr{}, fmt.Errorf("no way to %s: %w", host, err)
	}
	defer conn.Close()
	addr, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return "", netip.Addr{}, err
	}
	return network, addr.Addr().Unmap(), nil
}

// lineParams is what was agreed on, as the line wants it.
func lineParams(m sdp.Media, signalling netip.Addr) rtp.Params {
	return rtp.Params{
		Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, RTCPMux: m.RTCPMux, Signalling: signalling,
		Kind: m.Kind, PayloadType: m.PayloadType, PTime: ptime,
		TelephoneEvent: m.TelephoneEvent, EventClock: m.EventClock,
		Send: m.Direction.Sends(), Receive: m.Direction.Receives(),
	}
}
