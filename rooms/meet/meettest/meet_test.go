package meettest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "APItest"
	secret = "of-tests-only-and-long-enough-for-a-signature"
	token  = "of-roomkit-alone"
	board  = "b1f5f0aa-7bd1-4a43-9c54-1a4b9c3c0a11"
	pin    = "0123456789"
)

// house is a Meet with a meeting, and its LiveKit, both on real sockets.
func house(t *testing.T) (*Meet, *LiveKit) {
	t.Helper()
	l := NewLiveKit(key, secret)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	at, err := url.Parse(strings.Replace(server.URL, "http", "ws", 1))
	if err != nil {
		t.Fatal(err)
	}
	m := Start(t, Config{LiveKit: at, Key: key, Secret: secret, RoomkitToken: token})
	m.Add(Meeting{ID: board, PIN: pin, Access: Restricted})
	return m, l
}

// post sends a request as somebody who keeps no connection.
func post(t *testing.T, to, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// sign signs a webhook's body as LiveKit does.
func sign(t *testing.T, body, secret string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	signed, err := auth.NewAccessToken(key, secret).SetValidFor(time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestWebhook holds that a rule lives as long as its room, and that nobody but LiveKit makes or ends one.
func TestWebhook(t *testing.T) {
	m, l := house(t)
	const started = `{"event":"room_started","room":{"name":"` + board + `"}}`
	const finished = `{"event":"room_finished","room":{"name":"` + board + `"}}`
	for _, step := range []struct {
		rule, body, signature string
		status, rules         int
	}{
		{"a stranger", started, "", http.StatusBadRequest, 0},
		{"another secret", started, sign(t, started, strings.Repeat("x", 32)), http.StatusBadRequest, 0},
		{"another body", started, sign(t, finished, secret), http.StatusBadRequest, 0},
		{"the room begins", started, sign(t, started, secret), http.StatusOK, 1},
		{"it is told twice", started, sign(t, started, secret), http.StatusOK, 1},
		{"the room ends", finished, sign(t, finished, secret), http.StatusOK, 0},
	} {
		resp := post(t, m.WebhookURL(), step.body, "Authorization", step.signature)
		if resp.StatusCode != step.status || len(l.rules) != step.rules {
			t.Errorf("%s: got %d and %d rules, want %d and %d", step.rule, resp.StatusCode, len(l.rules), step.status, step.rules)
		}
	}
	if err := m.Await(t.Context(), Event{"room_finished", board}); err != nil {
		t.Error(err)
	}
}

// TestRoomkit holds the answers of Meet's own tests.
func TestRoomkit(t *testing.T) {
	m, l := house(t)
	to := m.URL().JoinPath("api/v1.0/roomkit/join").String() + "/"
	for _, test := range []struct {
		rule, authorization, body string
		status                    int
	}{
		{"no token", "", `{"pin_code":"` + pin + `"}`, http.StatusUnauthorized},
		{"no bearer", token, `{"pin_code":"` + pin + `"}`, http.StatusUnauthorized},
		{"another token", "Bearer x", `{"pin_code":"` + pin + `"}`, http.StatusUnauthorized},
		{"no PIN", "Bearer " + token, `{}`, http.StatusBadRequest},
		{"an empty PIN", "Bearer " + token, `{"pin_code":""}`, http.StatusBadRequest},
		{"a short PIN", "Bearer " + token, `{"pin_code":"123"}`, http.StatusBadRequest},
		{"a PIN of no meeting", "Bearer " + token, `{"pin_code":"0987654321"}`, http.StatusNotFound},
		{"a meeting's PIN", "Bearer " + token, `{"pin_code":"` + pin + `"}`, http.StatusOK},
		{"the same again", "Bearer " + token, `{"pin_code":"` + pin + `"}`, http.StatusOK},
	} {
		if resp := post(t, to, test.body, "Authorization", test.authorization); resp.StatusCode != test.status {
			t.Errorf("%s: got %d, want %d", test.rule, resp.StatusCode, test.status)
		}
	}
	if len(l.rules) != 1 || l.rules[0].GetName() != "SIP_"+board {
		t.Errorf("rules %v, want one", l.rules)
	}
}

// TestThrottle holds that a cookie knocks 150 times a minute, and is told when it may again.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		m.Add(Meeting{ID: board, Access: Restricted})
		cookie := ""
		knock := func() *http.Response {
			r := httptest.NewRequest(http.MethodPost, "/api/v1.0/rooms/"+board+"/request-entry/", strings.NewReader(`{"username":"x"}`))
			if cookie != "" {
				r.Header.Set("Cookie", cookie)
			}
			answer := httptest.NewRecorder()
			m.ServeHTTP(answer, r)
			return answer.Result()
		}
		resp := knock()
		if len(resp.Cookies()) != 1 || resp.Cookies()[0].Name != "lobbyParticipantId" || !resp.Cookies()[0].Secure {
			t.Fatalf("cookies %v", resp.Cookies())
		}
		cookie = "lobbyParticipantId=" + resp.Cookies()[0].Value
		for i := range 150 {
			if resp := knock(); resp.StatusCode != http.StatusOK {
				t.Fatalf("knock %d: %d", i, resp.StatusCode)
			}
		}
		resp = knock()
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "60" {
			t.Fatalf("got %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		time.Sleep(time.Minute)
		resp = knock()
		var said struct{ Status, ID string }
		if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Status != waiting || "lobbyParticipantId="+said.ID != cookie {
			t.Errorf("a minute later: %+v, %v", said, err)
		}
		time.Sleep(3 * time.Second)
		if list := m.Waiting(board); len(list) != 0 {
			t.Errorf("after 3 s without a knock: %v", list)
		}
	})
}
