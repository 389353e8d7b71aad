package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"passerelle/bridge"
	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/sdp"
)

// carrierOf is a carrier of the tests: what it does with a call is what its number ends with.
func carrierOf(t *testing.T, f sip.HandlerFunc) (addr string) {
	t.Helper()
	s, err := sip.Listen(sip.Config{Listen: []sip.Listener{{Network: "udp", Addr: netip.MustParseAddrPort(free)}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, f) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s.Addrs()[0].Addr.String()
}

// takes answers a call.
func takes(ctx context.Context, d *sip.Dialog) {
	s := sdp.Session{Local: sdp.Local{
		Origin: sdp.Origin{ID: 1, Version: 1}, Address: netip.MustParseAddrPort("127.0.0.1:9"), RTCP: netip.MustParseAddrPort("127.0.0.1:9"), Codecs: []codec.Kind{codec.PCMA},
	}}
	answer, _, err := s.Answer(d.Invite().Body)
	if err == nil {
		err = d.Answer(ctx, answer)
	}
	if err == nil {
		<-ctx.Done()
	}
}

// caller is a gateway with a carrier, and its configuration as a client knows it.
func callerOf(t *testing.T, carrier, outgoing string) (*house, *config.Config) {
	t.Helper()
	cfg := configured(t, fmt.Sprintf(`
version: 1
networks: [{name: voice, listen: ["udp://127.0.0.1:0"], media: "127.0.0.1:0-0"}]
engines: [{name: house, embedded: {udp: "127.0.0.1:0", tcp: "127.0.0.1:0"}}]
trunks: [{name: carrier, servers: ["sip:%s"], health: off, numbers: {plan: FR, present: +33199999999}}]
routes: [{from: [carrier], to: board, room: board}]
rooms: [{name: board}]
http: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0", token: sesame}
%s
`, carrier, outgoing), nil)
	h := startedWith(t, cfg)
	client := *cfg
	admin := *cfg.Static.Admin
	admin.Listen = netip.MustParseAddrPort(h.web[len(h.web)-1].listener.Addr().String())
	client.Static.Admin = &admin
	return h, &client
}

const france = "outgoing: {via: carrier, allow: FR, limits: {at_once: 3}}"

// TestDial has the gateway call a number into a room: it is told how that goes, and says it with its exit status.
func TestDial(t *testing.T) {
	t.Parallel()
	hungUp := make(chan error, 3)
	h, client := callerOf(t, carrierOf(t, func(ctx context.Context, d *sip.Dialog) {
		switch user := d.Invite().RequestURI.User; {
		case strings.HasSuffix(user, "1"): // rings for ever
			_ = d.Ring(ctx)
			<-ctx.Done()
			hungUp <- context.Cause(ctx)
		case strings.HasSuffix(user, "2"):
			_ = d.Reject(ctx, sip.Refusal{Code: 486})
		case strings.HasSuffix(user, "3"):
			takes(ctx, d)
			hungUp <- context.Cause(ctx)
		}
	}), france)
	try := func(number string, asJSON bool) (string, int) {
		var out bytes.Buffer
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		written := writerFunc(func(line []byte) (int, error) {
			if strings.HasSuffix(number, "1") && strings.Contains(string(line), "rings") {
				interrupt()
			}
			return out.Write(line)
		})
		err := dial(ctx, client, "board", wanted{Number: number}, written, asJSON)
		if err == nil {
			return out.String(), 0
		}
		return out.String() + err.Error(), exitCode(err)
	}

	said, code := try("0123456782", false)
	if want := "calling 01 •• •• •• 82 over carrier\nthe number is busy (SIP 486"; code != nobodyCame || !strings.HasPrefix(said, want) {
		t.Errorf("busy: %d, %q", code, said)
	}
	if said, code := try("0899123456", false); code != notAllowed || !strings.Contains(said, "it is a premium number of FR, and fixed, mobile, voip may be called (outgoing.kinds)") {
		t.Errorf("premium: %d, %q", code, said)
	}

	if said, code := try("0123456781", false); code != interrupted || !strings.Contains(said, "it rings\n") {
		t.Errorf("interrupted: %d, %q", code, said)
	}
	if err := <-hungUp; !errors.Is(err, sip.ErrCancelled) {
		t.Errorf("the carrier hears %v, want CANCEL", err)
	}

	said, code = try("0123456783", true)
	var states []bridge.State
	var last step
	for lines := json.NewDecoder(strings.NewReader(said)); lines.More(); {
		if err := lines.Decode(&last); err != nil {
			t.Fatal(err)
		}
		states = append(states, last.State)
	}
	if fmt.Sprint(states) != "[calling answered joined]" || code != 0 || last.ID == "" {
		t.Errorf("answered: %d, %v, %+v", code, states, last)
	}
	if calls := h.gateway.Calls(); len(calls) != 1 {
		t.Errorf("whoever asked has gone, and there are %d calls", len(calls))
	}
	for i, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		until(t, "the end", func() bool { return i == 0 || len(h.gateway.Calls()) == 0 })
		if got := deleteCall(t, client, last.ID); got != want {
			t.Errorf("DELETE says %d, want %d", got, want)
		}
	}
	if err := <-hungUp; !errors.Is(err, sip.ErrBye) {
		t.Errorf("the carrier hears %v, want BYE", err)
	}

	if _, code := try("0123456783", false); code != 0 {
		t.Errorf("answered: %d", code)
	}
	if got := deleteCall(t, client, h.gateway.Calls()[0].ID); got != http.StatusNoContent {
		t.Errorf("DELETE by Call-ID says %d", got)
	}
	if err := <-hungUp; !errors.Is(err, sip.ErrBye) {
		t.Errorf("the carrier hears %v, want BYE", err)
	}
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func deleteCall(t *testing.T, client *config.Config, id string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+client.Static.Admin.Listen.String()+"/v1/calls/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer sesame")
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestDialIsOff: without a word about it in the configuration nothing is called.
func TestDialIsOff(t *testing.T) {
	t.Parallel()
	_, client := callerOf(t, carrierOf(t, func(context.Context, *sip.Dialog) { t.Error("the carrier is called") }), "")
	err := dial(t.Context(), client, "board", wanted{Number: "0123456789"}, new(bytes.Buffer), false)
	if exitCode(err) != notAllowed {
		t.Errorf("it ends with %v", err)
	}
}

// TestAHundredTries: of a hundred programs that ask at the same moment, never more than three have a call that rings.
func TestAHundredTries(t *testing.T) {
	t.Parallel()
	var up, most atomic.Int32
	enough := make(chan struct{})
	_, client := callerOf(t, carrierOf(t, func(ctx context.Context, d *sip.Dialog) {
		most.Store(max(most.Load(), up.Add(1)))
		_ = d.Ring(ctx)
		select {
		case <-enough:
		case <-ctx.Done():
		}
		up.Add(-1)
		_ = d.Reject(ctx, sip.Refusal{Code: 486})
	}), france)
	var refused, busy atomic.Int32
	var tries sync.WaitGroup
	for i := range 100 {
		tries.Go(func() {
			err := dial(t.Context(), client, "board", wanted{Number: fmt.Sprintf("01234567%02d", i)}, new(bytes.Buffer), false)
			switch exitCode(err) {
			case notAllowed:
				if !strings.Contains(err.Error(), "there are 3 calls out already (outgoing.limits.at_once)") {
					t.Error(err)
				}
				if refused.Add(1) == 97 {
					close(enough)
				}
			case nobodyCame:
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	tries.Wait()
	if most.Load() != 3 || refused.Load() != 97 || busy.Load() != 3 {
		t.Errorf("%d at once, %d refused, %d busy; want 3, 97, 3", most.Load(), refused.Load(), busy.Load())
	}
}

func TestDialIsAskedBadly(t *testing.T) {
	t.Parallel()
	_, client := callerOf(t, "127.0.0.1:9", france)
	for _, body := range []string{"", "{}", `{"number": 1}`, `{"number": "0123456789", "nummer": 1}`, strings.Repeat("x", maxWanted+1)} {
		answer, err := send(t.Context(), client, http.MethodPost, "/v1/rooms/board/calls", strings.NewReader(body))
		if err == nil {
			answer.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "400 Bad Request") {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}
