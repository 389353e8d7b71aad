// Package meettest plays Visio (La Suite Meet) for tests: the part of its API that telephones need, as Meet 1.25 and
// its successors answer it. It does not know who asks, and keeps no meeting but in memory.
package meettest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Config says what a Meet is like; the zero value has no LiveKit yet, and roomkit is off.
type Config struct {
	LiveKit      *url.URL // see UseLiveKit, where it is not known yet
	Key, Secret  string
	RoomkitToken string // ROOMKIT_SERVER_TO_SERVER_API_TOKEN; empty: ROOMKIT_ENABLED=False
	PINLength    int    // ROOM_TELEPHONY_PIN_LENGTH; 0 is 10
}

// Access says who enters a meeting without knocking.
type Access string

// A telephone enters the first kind at once, and knocks at the others.
const (
	Public     Access = "public"
	Trusted    Access = "trusted"
	Restricted Access = "restricted"
)

// Meeting is one that was planned once and for all: its PIN never changes.
type Meeting struct {
	ID     string // UUID, and the name of the LiveKit room
	PIN    string
	Access Access
}

// Meet plays one. Its methods may be called from any goroutine.
type Meet struct {
	mux    *http.ServeMux
	server *httptest.Server // nil unless started

	mu       sync.Mutex
	c        Config
	sip      livekit.SIP
	meetings map[string]Meeting
	guests   map[string]*guest // by id, which is the cookie
	asked    map[string][]time.Time
	joins    []time.Time
	counts   map[Endpoint]int
	faults   map[Endpoint]*fault
	heard    map[Event]bool
	news     chan struct{} // closed when heard changes
}

// Event is what LiveKit's webhook has told, and Meet has done its part of.
type Event struct{ Name, Room string }

// Endpoint is one of the API's.
type Endpoint string

// The endpoints that are counted, and can be broken.
const (
	Roomkit      Endpoint = "roomkit/join"
	RequestEntry Endpoint = "request-entry"
	Webhook      Endpoint = "webhooks-livekit"
)

// fault is an answer that is given instead of the right one, so many times.
type fault struct {
	times  int
	answer http.HandlerFunc
}

// New returns a Meet without a socket: an http.Handler.
func New(c Config) *Meet {
	c.PINLength = cmp.Or(c.PINLength, 10)
	m := &Meet{
		mux: http.NewServeMux(), c: c, meetings: make(map[string]Meeting), guests: make(map[string]*guest),
		asked: make(map[string][]time.Time), counts: make(map[Endpoint]int), faults: make(map[Endpoint]*fault),
		heard: make(map[Event]bool), news: make(chan struct{}),
	}
	m.mux.HandleFunc("POST /api/v1.0/roomkit/join/{$}", m.endpoint(Roomkit, m.join))
	m.mux.HandleFunc("POST /api/v1.0/rooms/{room}/request-entry/{$}", m.endpoint(RequestEntry, m.requestEntry))
	m.mux.HandleFunc("POST /api/v1.0/rooms/webhooks-livekit/{$}", m.endpoint(Webhook, m.webhook))
	if c.LiveKit != nil {
		m.UseLiveKit(c.LiveKit, c.Key, c.Secret)
	}
	return m
}

// Start returns a Meet on a loopback port, until the test ends.
func Start(t testing.TB, c Config) *Meet {
	m := New(c)
	m.server = httptest.NewServer(m)
	t.Cleanup(m.server.Close)
	return m
}

// UseLiveKit says whose API makes the dispatch rules: a LiveKit has to know the webhook of its Meet before it starts.
func (m *Meet) UseLiveKit(at *url.URL, key, secret string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.c.LiveKit, m.c.Key, m.c.Secret = at, key, secret
	m.sip = sipClient(at, key, secret)
}

// UseSIP says the same where LiveKit is played too.
func (m *Meet) UseSIP(api livekit.SIP) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sip = api
}

// URL returns where a started Meet is.
func (m *Meet) URL() *url.URL {
	u, err := url.Parse(m.server.URL)
	if err != nil {
		panic(err)
	}
	return u
}

// WebhookURL returns where LiveKit is to tell what happens in its rooms.
func (m *Meet) WebhookURL() string {
	return m.URL().JoinPath("api/v1.0/rooms/webhooks-livekit").String() + "/"
}

// Add plans a meeting, or changes it.
func (m *Meet) Add(meeting Meeting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meetings[meeting.ID] = meeting
}

// Count returns how many requests an endpoint got, those refused included.
func (m *Meet) Count(e Endpoint) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[e]
}

// Break answers the next requests to an endpoint with something else.
func (m *Meet) Break(e Endpoint, times int, answer http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[e] = &fault{times, answer}
}

// Await returns when LiveKit has told of an event (room_started, room_finished), and Meet has made or deleted the
// rule; each is awaited once.
func (m *Meet) Await(ctx context.Context, e Event) error {
	for {
		m.mu.Lock()
		heard, news := m.heard[e], m.news
		delete(m.heard, e)
		m.mu.Unlock()
		if heard {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("await %s of %s: %w", e.Name, e.Room, ctx.Err())
		}
	}
}

// hear tells those who await it of an event.
func (m *Meet) hear(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard[e] = true
	close(m.news)
	m.news = make(chan struct{})
}

// ServeHTTP answers as Django does: what it does not know is a page, and what its API does not know is JSON.
func (m *Meet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := m.mux.Handler(r); pattern == "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<h1>Not Found</h1>"))
		return
	}
	m.mux.ServeHTTP(w, r)
}

// endpoint counts requests, and breaks those that are to be broken.
func (m *Meet) endpoint(e Endpoint, right http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		m.mu.Lock()
		m.counts[e]++
		answer := right
		if f := m.faults[e]; f != nil && f.times > 0 {
			f.times--
			answer = f.answer
		}
		m.mu.Unlock()
		answer(w, r)
	}
}

// say writes an answer of the API.
func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// detail writes a refusal of the API.
func detail(w http.ResponseWriter, status int, text string) {
	say(w, status, map[string]string{"detail": text})
}
