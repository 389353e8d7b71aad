package testphone

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"passerelle/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer answers calls with f until the test ends, and returns what to dial.
func peer(t *testing.T, f sip.HandlerFunc) (uri string) {
	t.Helper()
	server, err := sip.Listen(sip.Config{
		Listen: []sip.Listener{{Network: "udp", Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Known:  func(netip.AddrPort) bool { return true },
		Log:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, f) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "sip:peer@" + server.Addrs()[0].Addr.String()
}

func TestHangingUpWhileItRingsIsNormal(t *testing.T) {
	why := make(chan error, 1)
	uri := peer(t, func(ctx context.Context, d *sip.Dialog) {
		if err := d.Ring(ctx); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		why <- context.Cause(ctx)
	})
	ctx, hangup := context.WithCancel(t.Context())
	defer hangup()
	report, err := Call(ctx, Config{To: uri, Watch: func(r Report) {
		if r.State == "ringing" {
			hangup()
		}
	}})
	if err != nil || report.State != "ended" || report.End != "we hung up" || report.Answered() {
		t.Errorf("hanging up while it rings is %v, %+v", err, report)
	}
	if cause := <-why; !errors.Is(cause, sip.ErrCancelled) {
		t.Errorf("the other side's call ended with %v, want a CANCEL", cause)
	}
}

func TestARefusalIsTheEnd(t *testing.T) {
	uri := peer(t, func(ctx context.Context, d *sip.Dialog) {
		if err := d.Reject(ctx, sip.Refusal{Code: 486}); err != nil {
			t.Error(err)
		}
	})
	report, err := Call(t.Context(), Config{To: uri})
	var refused *sip.StatusError
	if !errors.As(err, &refused) || refused.Code != 486 {
		t.Errorf("a refusal is %v", err)
	}
	if report.State != "ended" || report.End != "486 Busy Here" || report.Answered() {
		t.Errorf("a refused call went %+v", report)
	}
}
