package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"passerelle/bridge"
	"passerelle/bridge/outgoing"
	"passerelle/cmd/internal/guard"
)

// The calls that the admin's desk is asked to make (docs/calling-out.md): POST /v1/rooms/ROOM/calls makes one and tells how it goes, a line of JSON
// for each step, until it is seated or has failed; DELETE /v1/calls/ID ends it. A call that is seated lasts without whoever asked for it.

// callsOut are those calls.
type callsOut struct {
	gateway *bridge.Gateway
	log     *slog.Logger

	mu      sync.Mutex
	up      map[string]context.CancelFunc
	closed  bool
	running sync.WaitGroup
}

func newCallsOut(g *bridge.Gateway, log *slog.Logger) *callsOut {
	return &callsOut{gateway: g, log: log, up: make(map[string]context.CancelFunc)}
}

// wanted is what a call out is asked for with.
type wanted struct {
	Number string `json:"number"`
	Trunk  string `json:"trunk,omitempty"`
	Engine string `json:"engine,omitempty"`
}

// step is how far a call out has come.
type step struct {
	ID string `json:"id"` // of the call, for DELETE
	bridge.Progress
}

// maxWanted is the longest question, in bytes.
const maxWanted = 4096

// post makes a call.
func (o *callsOut) post(w http.ResponseWriter, r *http.Request) {
	var what wanted
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxWanted))
	d.DisallowUnknownFields()
	if err := d.Decode(&what); err != nil || what.Number == "" {
		http.Error(w, `JSON is wanted: {"number": "0123456789"}, with trunk and engine where they are not plain`, http.StatusBadRequest)
		return
	}
	call := bridge.CallOut{Engine: what.Engine, Room: r.PathValue("room"), Number: what.Number, Trunk: what.Trunk, By: string(outgoing.API)}
	id, steps, ok := o.begin(r.Context(), call)
	if !ok {
		http.Error(w, "the gateway closes", http.StatusServiceUnavailable)
		return
	}
	stream := http.NewResponseController(w)
	_ = stream.SetWriteDeadline(time.Time{}) // it rings for as long as it rings
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	lines := json.NewEncoder(w)
	for {
		select {
		case <-r.Context().Done(): // nobody listens any more, and nobody has come
			o.hangUp(id)
			return
		case s := <-steps:
			if lines.Encode(s) != nil || stream.Flush() != nil {
				o.hangUp(id)
				return
			}
			if s.State == bridge.Joined || s.State == bridge.Failed || s.State == bridge.Ended {
				return
			}
		}
	}
}

// begin makes a call, whose steps are received until ctx is done.
func (o *callsOut) begin(ctx context.Context, call bridge.CallOut) (id string, steps <-chan step, ok bool) {
	id = rand.Text()
	told := make(chan step)
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	tell := func(s step) {
		select {
		case told <- s:
		case <-ctx.Done():
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		cancel()
		return "", nil, false
	}
	o.up[id] = cancel
	o.running.Go(func() {
		defer o.forget(id)
		if err := guard.Root("a call out", func() error {
			_ = o.gateway.CallOut(own, call, func(p bridge.Progress) { tell(step{id, p}) }) // it has told how it ended
			return nil
		})(); err != nil {
			o.log.Error("a call out ended", "error", err)
			tell(step{id, bridge.Progress{State: bridge.Failed, Why: "the gateway is in trouble: its log says which"}})
		}
	})
	return id, told, true
}

// forget lets a call go that is over.
func (o *callsOut) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cancel := o.up[id]; cancel != nil {
		cancel()
	}
	delete(o.up, id)
}

// hangUp ends a call, and reports whether it is one of these.
func (o *callsOut) hangUp(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	cancel := o.up[id]
	if cancel != nil {
		cancel()
	}
	return cancel != nil
}

// delete ends any call: one of these, or one of those that GET /v1/calls lists.
func (o *callsOut) delete(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); !o.hangUp(id) && !o.gateway.HangUp(id) {
		http.Error(w, "there is no such call", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// close ends all of them, and waits.
func (o *callsOut) close() {
	o.mu.Lock()
	o.closed = true
	for _, cancel := range o.up {
		cancel()
	}
	o.mu.Unlock()
	o.running.Wait()
}

// String is a step for people.
func (s step) String() string {
	where := "the phone " + s.To
	if s.Trunk != "" {
		where = s.To + " over " + s.Trunk
	}
	switch s.State {
	case bridge.Calling:
		return "calling " + where
	case bridge.Ringing:
		return "it rings"
	case bridge.Answered:
		return "answered by " + s.To
	case bridge.Joined:
		return "in the room"
	}
	return s.Explained()
}
