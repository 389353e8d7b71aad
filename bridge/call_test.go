package bridge

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/g722"
	"passerelle/codec/opus"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/rooms/roomstest"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for sound more than they compute: more of them at once than there are cores.
	if err := flag.Set("test.parallel", "40"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of these tests, so that none hangs: it judges nothing, however busy the machine is.
const patience = time.Minute

// rig is a gateway on free loopback ports, with rooms in memory.
type rig struct {
	t       *testing.T
	gateway *Gateway
	backend *roomstest.Backend
	live    atomic.Pointer[config.Live]
	addr    netip.AddrPort // of the gateway's SIP
	logged  logbook
}

// logbook keeps what is logged, for tests of it.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newRig(t *testing.T, change func(*config.Live)) *rig {
	return newRigOver(t, change, func(b *roomstest.Backend) rooms.Backend { return b })
}

// newRigOver is newRig with a backend of the test's own over the rooms in memory.
func newRigOver(t *testing.T, change func(*config.Live), over func(*roomstest.Backend) rooms.Backend) *rig {
	t.Helper()
	live := &config.Live{
		Keys:   config.Default().Live.Keys,
		Trunks: []config.Trunk{{Name: "loopback", Gain: true, Gate: true, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Trusted: true}},
		Routes: []config.Route{{ToMatch: regexp.MustCompile(`^(?:([a-z]+))$`), Room: "$1", Engine: "memory"}},
	}
	if change != nil {
		change(live)
	}
	engine := audio.NewEngine(audio.Config{})
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	voices, err := ivr.Load(engine.MixRate())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, backend: roomstest.New()}
	r.live.Store(live)
	begin := time.Now()
	identity, err := rtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	minutes, err := outgoing.NewLocal("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.gateway = New(Config{
		Identity: identity, Ledger: outgoing.NewLedger(minutes, slog.New(slog.DiscardHandler)),
		Live: r.live.Load, Engine: engine, Networks: map[string]Network{"": {Ports: Ports{IPv4: ports}}},
		Rooms: map[string]Rooms{"memory": {Backend: over(r.backend)}}, Voices: voices,
		Clock: func() time.Duration { return time.Since(begin) },
		Log:   slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &r.logged), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	var server atomic.Pointer[sip.Server]
	r.gateway.Dial = func(ctx context.Context, _ string, to sip.Dial) (*sip.Dialog, []byte, error) {
		return server.Load().Dial(ctx, to)
	}
	server.Store(r.serve(r.gateway.On("")))
	r.addr = server.Load().Addrs()[0].Addr
	r.run(engine.Run)
	return r
}

// change changes the configuration, before anything calls.
func (r *rig) change(f func(*config.Live)) {
	live := r.live.Load()
	f(live)
	r.live.Store(live) // for whoever loads it
}

// serve runs a SIP server on loopback until the test ends.
func (r *rig) serve(h sip.Handler) *sip.Server {
	r.t.Helper()
	server, err := sip.Listen(sip.Config{Listen: []sip.Listener{{Network: "udp", Addr: netip.MustParseAddrPort("127.0.0.1:0")}}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.run(func(ctx context.Context) error { return server.Serve(ctx, h) })
	return server
}

// lostNothing fails the test where the gateway lost packets. Where this machine stood still for so long that ticks were
// skipped, what belongs there is not heard.
func (r *rig) lostNothing() {
	r.t.Helper()
	got, skipped := r.gateway.Stats().Media, r.gateway.Engine.Stats().Skipped
	if got.Dropped+got.Failed != 0 || got.Ring != 0 && skipped == 0 {
		r.t.Errorf("lost in the gateway: %+v, with %d ticks skipped", got, skipped)
	}
}

// run runs f until the test ends, and waits for it.
func (r *rig) run(f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
}

// telephone is a caller of the tests.
type telephone struct {
	t      *testing.T
	dialog *sip.Dialog
	line   *rtp.Line
	media  sdp.Media
	sess   *sdp.Session

	mu      sync.Mutex
	dialled string // to it, in events: the keys as they go down
	ear     codec.Decoder
	kind    codec.Kind // of ear
	heard   []int16    // at rateOf(kind)
}

// telephone is one that has not called yet.
func (r *rig) telephone(kind codec.Kind) *telephone {
	r.t.Helper()
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	line, err := rtp.Listen(rtp.Config{Ports: ports})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { line.Close() })
	return &telephone{t: r.t, line: line, sess: &sdp.Session{Local: sdp.Local{
		Origin: sdp.Origin{ID: 1, Version: 1}, Address: line.LocalAddr(), RTCP: line.LocalRTCP(), Codecs: []codec.Kind{kind},
	}}}
}

// call dials a room and returns the phone once it is answered.
func (r *rig) call(to string, kind codec.Kind) (*telephone, error) {
	r.t.Helper()
	return r.callTo(to, kind, sdp.SendRecv)
}

// callTo is call with a direction in the first offer, and more lines at its end.
func (r *rig) callTo(to string, kind codec.Kind, direction sdp.Direction, more ...string) (*telephone, error) {
	r.t.Helper()
	p := r.telephone(kind)
	p.sess.Local.Direction = direction
	offer, err := p.sess.Offer()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	dialog, answer, err := r.serve(sip.HandlerFunc(func(context.Context, *sip.Dialog) {})).Dial(ctx, sip.Dial{
		To: "sip:" + to + "@" + r.addr.String(), From: sip.Address{User: "0123456789"}, Offer: append(offer, strings.Join(more, "")...),
	})
	if err != nil {
		return nil, err
	}
	p.dialog = dialog
	p.agree(answer)
	r.run(func(ctx context.Context) error { return p.line.Run(ctx, p, p.key) })
	return p, nil
}

// agree takes an answer. Its session offers sound only: a line of video that a test added must have been refused.
func (p *telephone) agree(answer []byte) {
	p.t.Helper()
	sound, video, added := strings.Cut(string(answer), "m=video ")
	if added && !strings.HasPrefix(video, "0 ") {
		p.t.Errorf("video is answered by %s", video)
	}
	media, err := p.sess.ReadAnswer([]byte(sound))
	if err != nil {
		p.t.Fatal(err)
	}
	p.media = media
	if err := p.line.Negotiate(lineParams(media, p.line.LocalAddr().Addr(), netip.Addr{})); err != nil {
		p.t.Fatal(err)
	}
}

// PushFrame keeps what the phone hears.
func (p *telephone) PushFrame(f *codec.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Kind != p.kind {
		p.kind, p.ear, p.heard = f.Kind, decoderOf(p.t, f.Kind), nil
	}
	var pcm [1920]int16
	n, err := p.ear.Decode(pcm[:], f.Payload)
	if err != nil {
		return
	}
	p.heard = append(p.heard, pcm[:n]...)
}

// key keeps what is dialled to the phone.
func (p *telephone) key(d rtp.Digit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !d.Ended {
		p.dialled += string(d.Rune)
	}
}

// awaitKeys waits until these keys, and no others, were dialled to the phone.
func (p *telephone) awaitKeys(want string) {
	p.t.Helper()
	p.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.dialled != want {
			p.t.Logf("dialled: %q", p.dialled)
		}
	})
	eventually(p.t, "dialled "+want, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !strings.HasPrefix(want, p.dialled) {
			p.t.Fatalf("%s was dialled, want %s", p.dialled, want)
		}
		return p.dialled == want
	})
}

// rateOf returns the rate at which a telephone hears and says kind.
func rateOf(kind codec.Kind) int {
	if kind == codec.G722 || kind == codec.Opus {
		return 16000
	}
	return g711.Rate
}

func decoderOf(t *testing.T, kind codec.Kind) (d codec.Decoder) {
	t.Helper()
	var err error
	switch kind {
	case codec.G722:
		d = g722.NewDecoder()
	case codec.Opus:
		d, err = opus.NewDecoder(rateOf(kind))
	default:
		d, err = g711.NewDecoder(kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encoderOf(t *testing.T, kind codec.Kind) (e codec.Encoder) {
	t.Helper()
	var err error
	switch kind {
	case codec.G722:
		e = g722.NewEncoder()
	case codec.Opus:
		e, err = opus.NewEncoder(opus.Config{Rate: rateOf(kind)})
	default:
		e, err = g711.NewEncoder(kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hears waits until the phone hears a tone of hz, or, with 0, half a second of silence.
func (p *telephone) hears(hz float64) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		p.mu.Lock()
		rate := rateOf(p.kind)
		window := rate / 2
		pcm := append([]int16(nil), p.heard[max(0, len(p.heard)-window):]...)
		p.mu.Unlock()
		if len(pcm) == window {
			if share, power := toneShare(pcm, rate, hz); hz == 0 && power < 100 || hz > 0 && power > 1e5 && share > 0.8 {
				return
			}
		}
		<-time.After(20 * time.Millisecond)
	}
	p.t.Fatalf("the phone does not hear %v Hz", hz)
}

// forget makes the phone listen anew.
func (p *telephone) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
}

// hearsNothing makes sure that no packet comes, for as long as ten would take.
func (p *telephone) hearsNothing() {
	p.t.Helper()
	<-time.After(200 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.heard) > 0 {
		p.t.Errorf("the phone hears %d samples, want none", len(p.heard))
	}
}

// toneShare returns which part of pcm's power is a tone of hz, and the power of a sample. Each 40 ms are looked at apart:
// where sound was skipped in between, the tone goes on at another phase.
func toneShare(pcm []int16, rate int, hz float64) (share, power float64) {
	var tone, all float64
	for part := range slices.Chunk(pcm, rate/25) {
		var sin, cos float64
		for i, s := range part {
			phase := 2 * math.Pi * hz * float64(i) / float64(rate)
			sin += float64(s) * math.Sin(phase)
			cos += float64(s) * math.Cos(phase)
			all += float64(s) * float64(s)
		}
		tone += 2 * (sin*sin + cos*cos) / float64(len(part))
	}
	if all == 0 {
		return 0, 0
	}
	return tone / all, all / float64(len(pcm))
}

// whistle says a tone until the test ends or stop is called, in syllables.
func (p *telephone) whistle(hz float64) (stop func()) {
	rate := rateOf(p.media.Kind)
	return p.sounds(func(at int) int16 { return syllables(hz, at, rate) })
}

// syllables are a tone with a pause of 100 ms in each half second: a gate takes one that goes on and on for noise, and whoever
// did not listen from its beginning would never hear it.
func syllables(hz float64, at, rate int) int16 {
	if at%(rate/2) > rate*2/5 {
		return 0
	}
	return int16(8000 * math.Sin(2*math.Pi*hz*float64(at)/float64(rate)))
}

// sounds sends what is said at each sample until the test ends or stop is called.
func (p *telephone) sounds(said func(at int) int16) (stop func()) {
	kind := p.media.Kind
	encoder, rate := encoderOf(p.t, kind), rateOf(kind)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		pcm := make([]int16, rate/50)
		payload := make([]byte, opus.MaxPacket)
		frame := codec.Frame{Kind: kind, Marker: true}
		sent := 0
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for i := range pcm {
				pcm[i] = said(sent + i)
			}
			sent += len(pcm)
			n, err := encoder.Encode(payload, pcm)
			if err != nil {
				p.t.Error(err)
				return
			}
			frame.Payload = payload[:n]
			p.line.WriteFrame(&frame)
			frame.Marker = false
			frame.Timestamp += uint32(kind.ClockRate() / 50)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { close(done) }); <-ended }
	p.t.Cleanup(stop)
	return stop
}

func (p *telephone) hangup() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.dialog.Hangup(ctx, ""); err != nil {
		p.t.Errorf("hang up: %v", err)
	}
}

// eventually waits for what no event tells.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func must(t *testing.T, p *telephone, err error) *telephone {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTwoPhonesTalkInARoom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	ben, err := r.call("lobby", codec.PCMU)
	must(t, ben, err)
	carl, err := r.call("elsewhere", codec.PCMA)
	must(t, carl, err)

	stop := ada.whistle(440)
	ben.hears(440)
	ada.hears(0) // nobody hears himself
	carl.hears(0)
	stop()
	ben.hears(0)
	ben.whistle(700)
	ada.hears(700)

	if got := r.gateway.Stats(); got.Calls != 3 || got.Rooms != 2 || got.PortsInUse != 3 {
		t.Errorf("stats while three calls are up: %+v", got)
	}
	for _, p := range []*telephone{ada, ben, carl} {
		p.hangup()
	}
	eventually(t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.Rooms == 0 && s.PortsInUse == 0
	})
	if got := r.backend.Rooms(); len(got) != 0 {
		t.Errorf("rooms left open: %v", got)
	}
	r.lostNothing()
}

func TestAModeratorsMuteSilencesThePhone(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	host := r.backend.Join("lobby", "host")
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	ada.whistle(440)
	ben.hears(440)

	id := ""
	for _, someone := range host.Roster() {
		if someone.Kind == rooms.Phone && id == "" {
			id = someone.ID // Ada called first
		}
		if someone.Kind == rooms.Phone && someone.Name != "01 •• •• •• 89" {
			t.Errorf("a phone is called %q in the roster", someone.Name)
		}
	}
	if err := host.MutePhone(id, true); err != nil {
		t.Fatal(err)
	}
	ben.hears(0)
	if err := host.MutePhone(id, false); err != nil {
		t.Fatal(err)
	}
	ben.hears(440)
	if err := host.RemovePhone(id); err != nil {
		t.Fatal(err)
	}
	ends(t, ada, sip.ErrBye)
}

// ends waits for the end of a call and compares its reason.
func ends(t *testing.T, p *telephone, want error) {
	t.Helper()
	select {
	case <-p.dialog.Context().Done():
	case <-time.After(patience):
		t.Fatal("the call goes on")
	}
	if got := context.Cause(p.dialog.Context()); !errors.Is(got, want) {
		t.Errorf("the call ended with %v, want %v", got, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule   string
		change func(*config.Live)
		before func(*rig)
		to     string
		kind   codec.Kind
		code   int
	}{
		{rule: "no route", to: "0123", kind: codec.PCMA, code: 404},
		{rule: "no codec in common", to: "lobby", kind: codec.G722, code: 488,
			change: func(l *config.Live) { l.Trunks[0].Codecs = []config.Codec{config.PCMA} }},
		{rule: "a stranger to every trunk", to: "lobby", kind: codec.PCMA, code: 403,
			change: func(l *config.Live) { l.Trunks = nil }},
		{rule: "a full house", to: "lobby", kind: codec.PCMA, code: 503,
			change: func(l *config.Live) { l.Limits.Calls = 1 },
			before: func(r *rig) { must(r.t, nil, second(r.call("lobby", codec.PCMA))) }},
		{rule: "a full trunk", to: "lobby", kind: codec.PCMA, code: 503,
			change: func(l *config.Live) { l.Trunks[0].Calls = 1 },
			before: func(r *rig) { must(r.t, nil, second(r.call("lobby", codec.PCMA))) }},
		{rule: "a backend that has no such room", to: "lobby", kind: codec.PCMA, code: 404,
			before: func(r *rig) { r.backend.Refuse = func(string) error { return rooms.ErrNoRoom } }},
		{rule: "a backend that is full", to: "lobby", kind: codec.PCMA, code: 486,
			before: func(r *rig) { r.backend.Refuse = func(string) error { return rooms.ErrFull } }},
		{rule: "a backend that fails", to: "lobby", kind: codec.PCMA, code: 500,
			before: func(r *rig) { r.backend.Refuse = func(string) error { return errors.New("on fire") } }},
		{rule: "a gateway that drains", to: "lobby", kind: codec.PCMA, code: 503,
			before: func(r *rig) { r.gateway.Drain(context.Background()) }},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := newRig(t, test.change)
			if test.before != nil {
				test.before(r)
			}
			held := r.gateway.portsInUse()
			_, err := r.call(test.to, test.kind)
			var refused *sip.StatusError
			if !errors.As(err, &refused) || refused.Code != test.code {
				t.Fatalf("refused with %v, want %d", err, test.code)
			}
			if says := test.code != 500 && test.code != 403; (refused.Warning.Text != "") != says {
				t.Errorf("the Warning is %q; is one wanted? %v", refused.Warning.Text, says)
			}
			eventually(t, "the port given back", func() bool { return r.gateway.portsInUse() == held })
		})
	}
}

func second[A any](_ A, err error) error { return err }

func TestDrainHangsUpWhatOutlastsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	if got := r.gateway.Ready(); got != 200 {
		t.Errorf("ready before the drain: %d, want 200", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan struct{})
	go func() { defer close(drained); r.gateway.Drain(ctx) }()
	eventually(t, "no more calls", func() bool { return r.gateway.Ready() == 503 })
	ada.whistle(440)
	ben.hears(440) // the calls go on
	ada.hangup()
	cancel()
	<-drained
	ends(t, ben, sip.ErrBye)
}

// reoffer offers anew within the call, as a re-INVITE does, with more lines at the end.
func (p *telephone) reoffer(r *rig, direction sdp.Direction, more ...string) {
	p.t.Helper()
	p.sess.Local.Direction = direction
	offer, err := p.sess.Offer()
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := handshake{r.theCall(p.dialog)}.Answer(p.t.Context(), append(offer, strings.Join(more, "")...))
	if err != nil {
		p.t.Fatal(err)
	}
	p.agree(answer)
}

// theCall is the gateway's side of a dialog.
func (r *rig) theCall(d *sip.Dialog) *call {
	r.t.Helper()
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	for c := range r.gateway.calls {
		if c.invite.CallID == d.Invite().CallID {
			return c
		}
	}
	r.t.Fatal("the gateway does not have this call")
	return nil
}

func TestHold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule      string
		direction sdp.Direction
		listens   bool // the phone that holds hears the room
	}{
		{"music on hold is not for the room", sdp.SendOnly, false},
		{"inactive", sdp.Inactive, false},
		{"a phone that only listens hears on", sdp.RecvOnly, true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := newRig(t, nil)
			ada, err := r.call("lobby", codec.PCMA)
			must(t, ada, err)
			ben, err := r.call("lobby", codec.PCMA)
			must(t, ben, err)
			ada.whistle(440)
			stop := ben.whistle(700)
			ada.hears(700)
			ben.hears(440)

			ada.reoffer(r, test.direction)
			ben.hears(0)
			ada.forget()
			if test.listens {
				ada.hears(700)
			} else {
				ada.hearsNothing()
			}
			stop()
			ada.reoffer(r, sdp.SendRecv)
			ben.hears(440)
		})
	}
}

func TestACallThatBeginsOnHold(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	ada, err := r.callTo("lobby", codec.PCMA, sdp.SendOnly)
	must(t, ada, err)
	ada.whistle(440) // its music
	eventually(t, "the music arrives", func() bool { return r.gateway.Stats().Media.Received > 50 })
	ben.hears(0)
	ada.reoffer(r, sdp.SendRecv)
	ben.hears(440)
}

func TestTheRoomStaysForThoseWhoStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	ada.hangup()
	eventually(t, "one call left", func() bool { return r.gateway.Stats().Calls == 1 })
	carl, err := r.call("lobby", codec.PCMA)
	must(t, carl, err)
	ben.whistle(440)
	carl.hears(440)
	r.backend.End("lobby")
	ends(t, ben, sip.ErrBye)
	ends(t, carl, sip.ErrBye)
}
