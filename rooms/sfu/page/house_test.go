//go:build peers

package page_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/opus"
	"passerelle/rooms"
	"passerelle/rooms/sfu"
)

// house is real rooms with phones in them, which the driver of the browser can call in, mute and remove,
// and a wire that it can cut.
type house struct {
	page    *httptest.Server
	control *httptest.Server // for the driver: /cut, /mend, /phone, /hangup, /remove, /mute, /end
	wire    *wire
	sfu     *sfu.SFU

	mu     sync.Mutex
	phones map[string]*phone // by room and name
	work   sync.WaitGroup
}

// nobody listens to the room on the phones' behalf.
type nobody struct{}

func (nobody) TrackAdded(string, rooms.Participant) codec.Reader { return nil }
func (nobody) TrackRemoved(string)                               {}
func (nobody) Participant(rooms.Change)                          {}
func (nobody) Room(rooms.State)                                  {}

// phone is a caller: a tone, or silence.
type phone struct {
	room rooms.Room
	seat rooms.Seat
	stop context.CancelFunc
}

// newHouse opens the house. Its page is also at http://rooms.example, which no browser takes for secure.
func newHouse(t *testing.T) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{wire: &wire{Listener: l, conns: make(map[net.Conn]struct{})}, phones: make(map[string]*phone)}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	h.sfu, err = sfu.New(sfu.Config{
		UDP: netip.MustParseAddrPort("127.0.0.1:0"), AnyRoom: true, MaxParticipants: 40,
		Named: []sfu.Named{
			{Name: "locked", Password: "open sesame"},
			{Name: "council", Password: "open sesame", Moderator: "gavel & co", WaitingRoom: true, KeepMuted: true},
			{Name: "quick", Moderator: "gavel", WaitingRoom: true, WaitingTimeout: time.Second},
			{Name: "desk", Moderator: "gavel"},
			{Name: "cabinet", Moderator: "gavel", WaitingRoom: true},
		},
		Dial: h.dial, MayDial: func() bool { return true },
		PublicURL: "http://rooms.example:" + port,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.page = httptest.NewUnstartedServer(h.sfu.Handler())
	_ = h.page.Listener.Close()
	h.page.Listener = h.wire
	h.page.Start()
	h.control = httptest.NewServer(h.controls())
	t.Cleanup(func() {
		h.control.Close()
		h.hangupAll()
		if err := h.sfu.Close(); err != nil {
			t.Errorf("close the rooms: %v", err)
		}
		h.page.Close()
	})
	return h
}

// controls is what the driver may do.
func (h *house) controls() http.Handler {
	mux := http.NewServeMux()
	do := func(path string, act func(room, name string) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := act(r.FormValue("room"), r.FormValue("name")); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	do("/cut", func(_, _ string) error { h.wire.cut(true); return nil })
	do("/mend", func(_, _ string) error { h.wire.cut(false); return nil })
	do("/phone", func(room, name string) error { return h.call(room, name, true) })
	do("/silent", func(room, name string) error { return h.call(room, name, false) })
	do("/hangup", h.hangup)
	do("/remove", func(room, name string) error { return h.sfu.Remove(room, name) })
	do("/mute", func(room, name string) error { return h.sfu.Mute(room, name, true) })
	do("/knock", h.knock)
	do("/hand", h.hand)
	do("/end", func(_, _ string) error { return h.sfu.Close() })
	return mux
}

// call brings a phone into a room; one that does not talk is muted.
func (h *house) call(room, name string, talks bool) error {
	h.mu.Lock()
	p := h.phones[room+"/"+name]
	h.mu.Unlock()
	if p != nil && p.seat != nil {
		return nil // it is there
	}
	ctx, stop := context.WithCancel(context.Background())
	r, err := h.sfu.Open(ctx, room, nobody{})
	if err != nil {
		stop()
		return err
	}
	seat, err := r.Seat(ctx, rooms.Participant{Name: name, Kind: rooms.Phone, Muted: !talks})
	if err != nil {
		stop()
		return err
	}
	h.mu.Lock()
	if p := h.phones[room+"/"+name]; p != nil && p.seat == nil {
		p.stop() // it knocks no more
	}
	h.phones[room+"/"+name] = &phone{room: r, seat: seat, stop: stop}
	h.mu.Unlock()
	if talks {
		h.work.Go(func() { talk(ctx, seat) })
	}
	return nil
}

// knock brings a phone to the door of a room, if it is not there yet; it comes in, muted, when it is let in.
func (h *house) knock(room, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phones[room+"/"+name] != nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &phone{stop: stop}
	h.phones[room+"/"+name] = p
	h.work.Go(func() {
		_, err := h.sfu.Admit(ctx, rooms.Entry{Room: room}, name, func() {})
		if err == nil {
			err = h.call(room, name, false)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil && h.phones[room+"/"+name] == p {
			delete(h.phones, room+"/"+name)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, rooms.ErrDenied) && !errors.Is(err, rooms.ErrClosed) {
			panic(err)
		}
	})
	return nil
}

// hand raises a phone's hand.
func (h *house) hand(room, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phones[room+"/"+name].seat.Send(rooms.Message{Kind: rooms.HandRaised})
}

// dial is a telephone network in which what becomes of a call is its last digit: busy at 0, ringing for ever at 1, and
// in the room at 2.
func (h *house) dial(ctx context.Context, room, number string, progress func(sfu.DialState)) error {
	progress(sfu.Ringing)
	switch number[len(number)-1] {
	case '0':
		return &sfu.DialFailure{State: sfu.Busy, Err: errors.New("486 Busy Here")}
	case '2':
		if err := h.call(room, number, false); err != nil {
			return err
		}
		progress(sfu.Answered)
	}
	<-ctx.Done()
	return ctx.Err()
}

// talk speaks a tone of 440 Hz in syllables, until ctx ends.
func talk(ctx context.Context, seat rooms.Seat) {
	enc, err := opus.NewEncoder(opus.Config{Rate: 48000})
	if err != nil {
		panic(err)
	}
	defer enc.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	pcm, packet := make([]int16, 960), make([]byte, 1500)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		loud := 0.55 + 0.45*math.Sin(float64(n)/4)
		for i := range pcm {
			pcm[i] = int16(9000 * loud * math.Sin(2*math.Pi*440*float64(n*960+i)/48000))
		}
		size, err := enc.Encode(packet, pcm)
		if err != nil {
			panic(err)
		}
		level := uint8(17 - 20*math.Log10(loud))
		_ = seat.WriteFrame(&codec.Frame{
			Seq: uint16(n), Timestamp: uint32(n * 960), Kind: codec.Opus, Level: level, Voice: true, Payload: packet[:size],
		}) // lost after the phone was removed
	}
}

func (h *house) hangup(room, name string) error {
	h.mu.Lock()
	p := h.phones[room+"/"+name]
	delete(h.phones, room+"/"+name)
	h.mu.Unlock()
	if p == nil {
		return fmt.Errorf("no phone %q in %q", name, room)
	}
	return p.close()
}

func (h *house) hangupAll() {
	h.mu.Lock()
	for _, p := range h.phones {
		_ = p.close() // the rooms may be closed already
	}
	clear(h.phones)
	h.mu.Unlock()
	h.work.Wait()
}

func (p *phone) close() error {
	p.stop()
	if p.seat == nil { // it never came in
		return nil
	}
	if err := p.seat.Close(); err != nil {
		return err
	}
	return p.room.Close()
}

// wire is a listener whose connections can all be cut; until it is mended there are no new ones.
type wire struct {
	net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
}

// Accept returns the next connection that is not cut at once.
func (w *wire) Accept() (net.Conn, error) {
	for {
		c, err := w.Listener.Accept()
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		if !w.down {
			w.conns[c] = struct{}{}
			w.mu.Unlock()
			return c, nil
		}
		w.mu.Unlock()
		_ = c.Close()
	}
}

func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	if !down {
		return
	}
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}
