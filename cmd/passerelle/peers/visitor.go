package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
)

// Visitor is a Chromium with a page on LiveKit's own client (testdata/peers/livekit): a participant as
// everybody's browser is one in Visio.
type Visitor struct {
	*Browser
	Identity string // in the room; the browser's name in lower case is a good one
	page     string
}

// Seen is a participant as livekit-client shows it; the names are its own.
type Seen struct {
	Identity            string            `json:"identity"`
	Name                string            `json:"name"`
	Kind                string            `json:"kind"` // "SIP" for a phone, "STANDARD" for a browser
	Attributes          map[string]string `json:"attributes"`
	IsMicrophoneEnabled bool              `json:"isMicrophoneEnabled"`
	Microphones         int               `json:"microphones"` // tracks of that kind
	Tracks              int               `json:"tracks"`
	IsSpeaking          bool              `json:"isSpeaking"`
	AudioLevel          float64           `json:"audioLevel"` // 0 to 1
	Spoke               bool              `json:"spoke"`      // isSpeaking was true at some time
	Loudest             float64           `json:"loudest"`    // the highest audioLevel so far
}

// Happened is a line of what the page has lived through. What is "joined", "left", "muted", "unmuted",
// "subscribed", "unsubscribed", "attributes", "digit", "chat", "data", "reconnecting", "reconnected" or
// "disconnected".
type Happened struct {
	At     int    `json:"at"` // milliseconds since the page began
	What   string `json:"what"`
	Who    string `json:"who"` // an identity
	Text   string `json:"text"`
	Digit  string `json:"digit"`
	Reason string `json:"reason"`
}

// Entry says how a visitor comes into a room.
type Entry struct {
	URL, Key, Secret string // of the LiveKit server
	Room             string
	Silent           bool   // without a microphone
	Encrypt          string // a passphrase: what it says is encrypted from end to end
}

// StartVisitor starts a Chromium that can enter rooms.
func StartVisitor(t testing.TB, dir string, config BrowserConfig) *Visitor {
	t.Helper()
	page := httptest.NewServer(visitorPage(t))
	t.Cleanup(page.Close)
	v := &Visitor{Browser: StartBrowser(t, dir, config), Identity: "visitor-" + config.Name, page: page.URL}
	v.Open(t, v.page)
	return v
}

// visitorPage serves the page, and livekit-client as package-lock.json pins it.
func visitorPage(t testing.TB) http.Handler {
	t.Helper()
	client := filepath.Join(NodeModules(), "livekit-client", "dist")
	if _, err := os.Stat(client); err != nil {
		t.Fatalf("no livekit-client in %s: run .ci/peers.sh", NodeModules())
	}
	mux := http.NewServeMux()
	serve := func(path, file string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	serve("/{$}", Data("livekit", "page.html"))
	serve("/page.js", Data("livekit", "page.js"))
	serve("/livekit-client.umd.js", filepath.Join(client, "livekit-client.umd.js"))
	serve("/livekit-client.e2ee.worker.js", filepath.Join(client, "livekit-client.e2ee.worker.js"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// Enter joins a room, and returns when the visitor is in it with the microphone on.
func (v *Visitor) Enter(t testing.TB, e Entry) {
	t.Helper()
	grant := &auth.VideoGrant{RoomJoin: true, Room: e.Room}
	token, err := auth.NewAccessToken(e.Key, e.Secret).SetIdentity(v.Identity).SetName(v.Name).SetVideoGrant(grant).SetValidFor(time.Hour).ToJWT()
	if err != nil {
		t.Fatalf("%s: a token for a room: %v", v.Name, err)
	}
	options, err := json.Marshal(map[string]any{"url": e.URL, "token": token, "silent": e.Silent, "key": e.Encrypt})
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	v.Evaluate(t, fmt.Sprintf("participant.join(%s)", options), nil)
}

// Dial has the room dial a key to everybody in it who is a telephone.
func (v *Visitor) Dial(t testing.TB, key string) {
	t.Helper()
	v.Evaluate(t, fmt.Sprintf("participant.dial(%q).then(() => null)", key), nil)
}

// Exit leaves the room.
func (v *Visitor) Exit(t testing.TB) { t.Helper(); v.Evaluate(t, "participant.leave()", nil) }

// SetMuted switches the visitor's own microphone.
func (v *Visitor) SetMuted(t testing.TB, muted bool) {
	t.Helper()
	v.Evaluate(t, fmt.Sprintf("participant.mute(%v).then(() => null)", muted), nil)
}

// Others returns whom the visitor sees in the room.
func (v *Visitor) Others(t testing.TB) (seen []Seen) {
	t.Helper()
	v.Evaluate(t, "participant.others()", &seen)
	return seen
}

// Phones returns the phones that the visitor sees in the room.
func (v *Visitor) Phones(t testing.TB) (seen []Seen) {
	t.Helper()
	v.Evaluate(t, "participant.phones()", &seen)
	return seen
}

// AwaitPhones waits until the visitor sees that many phones, each with its microphone published, and
// returns them.
func (v *Visitor) AwaitPhones(t testing.TB, n int, within time.Duration) []Seen {
	t.Helper()
	v.Await(t, fmt.Sprintf("participant.phones().filter(p => p.microphones == 1).length == %d", n), within)
	return v.Phones(t)
}

// AwaitMicrophone waits until the visitor sees somebody's microphone on or off.
func (v *Visitor) AwaitMicrophone(t testing.TB, identity string, on bool, within time.Duration) {
	t.Helper()
	v.Await(t, fmt.Sprintf("participant.other(%q)?.isMicrophoneEnabled === %v", identity, on), within)
}

// AwaitGone waits until the visitor does not see somebody any more.
func (v *Visitor) AwaitGone(t testing.TB, identity string, within time.Duration) {
	t.Helper()
	v.Await(t, fmt.Sprintf("participant.other(%q) === null", identity), within)
}

// AwaitStory waits until something has happened to somebody; to anybody where identity is empty.
func (v *Visitor) AwaitStory(t testing.TB, what, identity string, within time.Duration) {
	t.Helper()
	v.Await(t, fmt.Sprintf("participant.told(%q, %q)", what, identity), within)
}

// Story returns what has happened so far.
func (v *Visitor) Story(t testing.TB) (story []Happened) {
	t.Helper()
	v.Evaluate(t, "participant.story()", &story)
	return story
}

// HeardOf writes what the visitor has heard of one participant, at 48000 Hz from the moment it subscribed,
// and returns where. Heard is everybody's sum.
func (v *Visitor) HeardOf(t testing.TB, identity string) string {
	t.Helper()
	path := filepath.Join(v.dir, "heard-"+identity+".wav")
	v.do(t, "recording", map[string]any{"path": path, "of": identity}, nil)
	return path
}
