package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/bridge"
	"passerelle/cmd/internal/testphone"
	"passerelle/config"
	"passerelle/rooms"
)

// numbered is a configuration in which one number stands in three places.
const numbered = onLoopback + `
admin: {listen: "127.0.0.1:0"}
limits: {calls: %[4]d}
menus: []
rooms: [{name: "room%[4]d"}]
`

// follower is a house that serves a file, for tests that change it.
func follower(t *testing.T) (h *house, file string) {
	t.Helper()
	return followerOf(t, fmt.Sprintf(numbered, free, free, free, 100))
}

func followerOf(t *testing.T, text string) (h *house, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "passerelle.yaml")
	write(t, file, text)
	source := config.Source{Path: file}
	cfg, err := config.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = build(cfg, "", quiet()); err != nil {
		t.Fatal(err)
	}
	h.source = source
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.serve(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h, file
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mutated breaks a file in one of many ways, or not at all.
func mutated(text string, r *rand.Rand) string {
	lines := strings.SplitAfter(text, "\n")
	i := r.IntN(len(lines))
	switch r.IntN(6) {
	case 0:
		return text
	case 1:
		return text[:r.IntN(len(text))]
	case 2:
		lines[i] = ""
	case 3:
		lines[i] += lines[r.IntN(len(lines))]
	case 4:
		at := r.IntN(len(text))
		return text[:at] + string(rune(' '+r.IntN(90))) + text[at+1:]
	case 5:
		lines[i] = strings.Replace(lines[i], "listen:", "listening:", 1)
		lines[i] = strings.Replace(lines[i], "room", "rooom", 1)
	}
	return strings.Join(lines, "")
}

// TestReloadDuringACall reads 200 mutated files while a phone talks: the phone loses nothing, and at no time is there a state
// that no file describes.
func TestReloadDuringACall(t *testing.T) {
	t.Parallel()
	h, file := follower(t)
	var out bytes.Buffer
	ctx, hangup := context.WithCancel(t.Context())
	var phone sync.WaitGroup
	phone.Go(func() {
		o := callOptions{play: "../../testdata/speech/slt.wav", codec: "PCMA", last: time.Minute, json: true}
		if err := o.call(ctx, "sip:lobby@"+h.phones[0].server.Addrs()[0].Addr.String(), &out, &out); err != nil {
			t.Errorf("call: %v", err)
		}
	})
	until(t, "the call", func() bool { return h.gateway.Stats().Answered == 1 })

	looking, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	seen, written := make(map[string]bool), map[string]bool{marks(h.live()): true}
	watch.Go(func() {
		for looking.Err() == nil {
			seen[marks(h.live())] = true
		}
	})
	r := rand.New(rand.NewPCG(1, 2))
	taken, refused := 0, 0
	for i := range 200 {
		write(t, file, mutated(fmt.Sprintf(numbered, free, free, free, 101+i), r))
		if next, err := config.Load(h.source); err == nil {
			written[marks(&next.Live)] = true
		}
		before := h.inForce.Load()
		_, err := h.adopt()
		if now := h.inForce.Load(); (now != before) == (err != nil) {
			t.Fatalf("file %d: in force is another: %v, and the error is %v", i, now != before, err)
		}
		if err != nil {
			refused++
			continue
		}
		taken++
	}
	stop()
	watch.Wait()
	for state := range seen {
		if !written[state] {
			t.Errorf("%s was in force, and in no file", state)
		}
	}
	if taken < 20 || refused < 20 {
		t.Errorf("%d files were taken and %d refused: that shows nothing", taken, refused)
	}
	if s := h.gateway.Stats(); s.Calls != 1 || s.Media.Lost > 0 || s.Refused > 0 || s.OneWay > 0 {
		t.Errorf("the call has noticed: %+v", s)
	}
	hangup()
	phone.Wait()
	var report testphone.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.State != "ended" || report.Lost > 0 || report.End != "we hung up" {
		t.Errorf("the call went %+v, %v in %s", report, err, &out)
	}
}

// marks are the numbers of a configuration that its file made alike, or mutated.
func marks(live *config.Live) string {
	var rooms []string
	for _, room := range live.Rooms {
		rooms = append(rooms, room.Name)
	}
	return fmt.Sprint(rooms, live.Limits.Calls, live.Drain, len(live.Trunks), len(live.Routes))
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	const patience = time.Minute // it keeps the test from hanging, and judges nothing
	for deadline := time.Now().Add(patience); !is(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// A file that is changed is followed; one that takes a restart is not, and names what does.
func TestTheFileIsFollowed(t *testing.T) {
	t.Parallel()
	h, file := follower(t)
	write(t, file, fmt.Sprintf(numbered, free, free, free, 123))
	until(t, "the new limit", func() bool { return h.live().Limits.Calls == 123 })
	write(t, file, fmt.Sprintf(numbered, "127.0.0.1:5099", free, free, 124))
	if _, err := h.adopt(); err == nil || !strings.Contains(err.Error(), "a restart is needed for networks[voice].listen") || h.live().Limits.Calls != 123 {
		t.Errorf("%v, %d calls", err, h.live().Limits.Calls)
	}
}

// A trunk that is gone from the file keeps the call that is up, and its hang-up is heard.
func TestATrunkThatIsGoneKeepsItsCalls(t *testing.T) {
	t.Parallel()
	h, file := follower(t)
	ctx, hangup := context.WithCancel(t.Context())
	var out bytes.Buffer
	var phone sync.WaitGroup
	phone.Go(func() {
		o := callOptions{codec: "PCMA", last: time.Minute, json: true}
		if err := o.call(ctx, "sip:lobby@"+h.phones[0].server.Addrs()[0].Addr.String(), &out, &out); err != nil {
			t.Errorf("call: %v", err)
		}
	})
	until(t, "the call", func() bool { return h.gateway.Stats().Answered == 1 })
	write(t, file, strings.Replace(fmt.Sprintf(numbered, free, free, free, 100), "127.0.0.0/8", "192.0.2.0/24", 1))
	if _, err := h.adopt(); err != nil {
		t.Fatal(err)
	}
	hangup()
	phone.Wait()
	until(t, "the end of the call", func() bool { return h.gateway.Stats().Calls == 0 })
	if h.gateway.Talks(h.phones[0].server.Addrs()[0].Addr.Addr()) {
		t.Error("it is known for ever")
	}
}

// TestTheAdminIsTold asks a running gateway, as the commands do.
func TestTheAdminIsTold(t *testing.T) {
	t.Parallel()
	h, file := follower(t)
	desk := h.web[len(h.web)-1].listener.Addr().String()
	if conn, err := net.Dial("udp", h.phones[0].server.Addrs()[0].Addr.String()); err == nil { // not SIP, which gets silence
		fmt.Fprint(conn, "hello\r\n\r\n")
		conn.Close()
	}
	until(t, "the knock", func() bool { return len(h.knocks.List()) == 1 })
	write(t, file, strings.ReplaceAll(fmt.Sprintf(numbered, free, free, free, 100), "drain: 5s", "drain: 6s"))
	at := *h.inForce.Load().Config
	at.Static.Admin = &config.Admin{}
	if err := at.Static.Admin.Listen.UnmarshalText([]byte(desk)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printPending(t.Context(), &out, &at)
	if got := out.String(); got != "the running gateway would change:\n  drain: 5s -> 6s\n" && got != "it is in force\n" { // the watch of the file may have been faster
		t.Errorf("got %q", got)
	}
	var knocks []bridge.Knock
	if err := ask(t.Context(), &at, "/v1/knocks", &knocks); err != nil || len(knocks) != 1 || knocks[0].Why != "not SIP" {
		t.Errorf("the knocks are %+v, %v", knocks, err)
	}
	out.Reset()
	if err := printKnocks(&out, knocks); err != nil || !strings.Contains(out.String(), "127.0.0.1  udp  1 times  not SIP") {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	h, _ := follower(t)
	desk := h.web[len(h.web)-1].server.Handler
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		desk.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil))
		return w
	}
	var in invitation
	w := get("/v1/dial/board")
	if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil || in.SIP != "sip:board@"+h.phones[0].server.Addrs()[0].Addr.String() || !strings.HasPrefix(in.QR, "data:image/png;base64,iVBOR") {
		t.Errorf("got %s, %v", w.Body, err)
	}
	w = get("/v1/dial/board?png")
	if picture, err := png.Decode(w.Body); err != nil || picture.Bounds().Dx() < 100 {
		t.Errorf("the code is no picture: %v", err)
	}
	if w := get("/v1/dial/12345"); w.Code != http.StatusNotFound {
		t.Errorf("a room that nobody can dial: %d %s", w.Code, w.Body)
	}
}

// TestPINsAreReadAgain holds that a PIN opens its room until the file has another.
func TestPINsAreReadAgain(t *testing.T) {
	t.Parallel()
	text := func(pin string) string {
		return fmt.Sprintf(onLoopback+`
menus: [{name: door}]
rooms: [{name: board, pin: "%[4]s", moderator: {pin: "9942117"}}]
`, free, free, free, pin)
	}
	h, file := followerOf(t, text("0042117"))
	desk := h.engines[0].rooms.Reception
	opens := func(pin string, want rooms.Entry) {
		t.Helper()
		if got, err := desk.Find(t.Context(), pin); got != want || (want.Room == "") != errors.Is(err, rooms.ErrNoRoom) {
			t.Errorf("%s: got %+v, %v, want %+v", pin, got, err, want)
		}
	}
	opens("0042117", rooms.Entry{Room: "board"})
	opens("9942117", rooms.Entry{Room: "board", Moderator: true})
	write(t, file, text("0042118"))
	h.reload()
	opens("0042117", rooms.Entry{})
	opens("0042118", rooms.Entry{Room: "board"})
	write(t, file, text("9942117")) // the moderator's
	h.reload()
	opens("0042118", rooms.Entry{Room: "board"})
}

func TestWhoMayAsk(t *testing.T) {
	for _, test := range []struct {
		rule, token, host, shown string
		want                     int
	}{
		{"this machine", "", "127.0.0.1:8081", "", 200},
		{"by name", "", "localhost:8081", "", 200},
		{"IPv6", "", "[::1]:8081", "", 200},
		{"a page whose name points here", "", "evil.example:8081", "", 403},
		{"a token", "sesame", "gateway.example", "Bearer sesame", 200},
		{"another", "sesame", "127.0.0.1", "Bearer simsim", 401},
		{"none", "sesame", "127.0.0.1", "", 401},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+test.host+"/v1/knocks", nil)
			r.Header.Set("Authorization", test.shown)
			w := httptest.NewRecorder()
			var token config.Secret
			if test.token != "" {
				token = config.NewSecret(test.token)
			}
			admitted(token, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("got %d, want %d", w.Code, test.want)
			}
		})
	}
}

// A page of anybody's can have a browser on this machine post here: what acts, a call out above all, is not for pages.
func TestNoPageMayAct(t *testing.T) {
	for _, test := range []struct {
		rule, method, header, value string
		want                        int
	}{
		{"curl", http.MethodPost, "", "", 200},
		{"a page of another host", http.MethodPost, "Origin", "http://evil.example", 403},
		{"a page of another port", http.MethodDelete, "Origin", "http://127.0.0.1:3000", 403},
		{"a page of no origin", http.MethodPost, "Origin", "null", 403},
		{"a browser that says where from", http.MethodPost, "Sec-Fetch-Site", "cross-site", 403},
		{"a question, whose answer no page can read", http.MethodGet, "Origin", "http://evil.example", 200},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1:8081/v1/rooms/board/calls", nil)
			if test.header != "" {
				r.Header.Set(test.header, test.value)
			}
			w := httptest.NewRecorder()
			admitted(config.Secret{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("got %d, want %d", w.Code, test.want)
			}
		})
	}
}
