package sip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// sipgo's two global variables are set once in a process, before its first use (docs/sipgo.md).
var tuneSipgo sync.Once //nolint:gochecknoglobals // guards the globals of another

// maxUDP is the most that an IPv4 datagram carries.
const maxUDP = 65507

// newUserAgent returns sipgo's lower half with its own ways to the network shut: it neither dials nor
// resolves names, it takes the connections that we give it.
func newUserAgent(log *slog.Logger) (*sipgo.UserAgent, *sipgo.Client, error) {
	tuneSipgo.Do(func() {
		sip.UDPMTUSize = maxUDP + 200 // it subtracts 200
		sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	})
	quiet := slog.New(demoted{log.Handler()})
	shut := func(net.Addr) net.Dialer {
		return net.Dialer{Control: func(string, string, syscall.RawConn) error { return errShut }}
	}
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgentDNSResolver(&net.Resolver{
			PreferGo: true,
			Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errShut },
		}),
		sipgo.WithUserAgentTransportLayerOptions(
			sip.WithTransportLayerLogger(quiet),
			sip.WithTransportLayerTransports(sip.TransportsConfig{
				TCP: &sip.TransportTCP{DialerCreate: shut},
				TLS: &sip.TransportTLS{TransportTCP: &sip.TransportTCP{DialerCreate: shut}},
			}),
		),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet),
			// An answer to nothing of ours is not worth a line.
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return nil, nil, err
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(quiet))
	return ua, client, err
}

var errShut = errors.New("sipgo makes no connections of its own here")

// demoted passes sipgo's records on at Debug level, and of their attributes only those that can not hold a
// message, or a number in one.
type demoted struct{ to slog.Handler }

func (d demoted) Enabled(ctx context.Context, _ slog.Level) bool {
	return d.to.Enabled(ctx, slog.LevelDebug)
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, slog.LevelDebug, "sipgo: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if harmless(a.Key) {
			out.AddAttrs(a)
		}
		return true
	})
	return d.to.Handle(ctx, out)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if harmless(a.Key) {
			kept = append(kept, a)
		}
	}
	return demoted{d.to.WithAttrs(kept)}
}

func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.to.WithGroup(name)} }

func harmless(key string) bool {
	switch key {
	case "caller", "network", "addr", "laddr", "raddr", "dur":
		return true
	}
	return false
}
