package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loadText loads a file's content, as if it were passerelle.yaml here.
func loadText(text string) (*Config, error) {
	return load([]byte(text), "passerelle.yaml", &outside{})
}

func TestDefaultServesTheNeighbourhood(t *testing.T) {
	c := Default()
	if c.File != "" || !c.Live.AnyRoom || len(c.Warnings) > 0 {
		t.Errorf("file %q, any room %v, warnings %v", c.File, c.Live.AnyRoom, c.Warnings)
	}
	n := c.Static.Networks[0]
	var listen []string
	for _, l := range n.Listen {
		if !l.Addr.Addr().IsUnspecified() {
			t.Errorf("listens on %s only", l.Addr)
		}
		listen = append(listen, fmt.Sprint(l.Transport, " ", l.Addr.Port()))
	}
	if got := fmt.Sprint(listen, n.Media.First, n.Media.Last); got != "[udp 5060 tcp 5060] 20000 23999" {
		t.Error(got)
	}
	if got := c.Static.HTTP.Listen.String(); got != "127.0.0.1:8080" {
		t.Errorf("page on %s", got)
	}
	known := func(text string) bool {
		for _, p := range c.Live.Trunks[0].From {
			if p.Contains(netip.MustParseAddr(text)) {
				return true
			}
		}
		return false
	}
	for _, addr := range []string{"127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1", "fe80::1"} {
		if !known(addr) {
			t.Errorf("%s is a stranger", addr)
		}
	}
	for _, addr := range []string{"198.51.100.1", "172.32.0.1", "2001:db8::1", "100.64.0.1"} {
		if known(addr) {
			t.Errorf("%s is a neighbour", addr)
		}
	}
	r := c.Live.Routes[0]
	m := r.ToMatch.FindStringSubmatchIndex("lobby")
	if room := string(r.ToMatch.ExpandString(nil, r.Room, "lobby", m)); room != "lobby" || r.Engine != "house" {
		t.Errorf("lobby leads to %q in %q", room, r.Engine)
	}
}

func TestExpressionsAreAnchored(t *testing.T) {
	c, err := loadText("version: 1\nroutes: [{to_match: \"a|b\", room: x}]\n")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"a": true, "b": true, "ab": false, "xa": false, "a\n": false} {
		if got := c.Live.Routes[0].ToMatch.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if c.Live.AnyRoom {
		t.Error("a fixed room opens any room")
	}
}

func TestTrunksHaveTheGainOfTheWhole(t *testing.T) {
	const trunks = "trunks: [{name: a, accept: {from: [192.0.2.1]}}, {name: b, accept: {from: [192.0.2.2]}, gain: %s}]\n"
	for _, test := range []struct {
		sound, b    string
		wantA, want bool
		limiter     bool
	}{
		{"", "off", true, false, true},
		{"sound: {gain: off}\n", "on", false, true, true},
		{"sound: {gain: on, limiter: off}\n", "on", true, true, false},
	} {
		c, err := loadText("version: 1\n" + test.sound + fmt.Sprintf(trunks, test.b))
		if err != nil {
			t.Fatal(err)
		}
		if !c.Live.Trunks[0].Gate {
			t.Errorf("%q: the gate is off", test.sound)
		}
		if a, b := c.Live.Trunks[0].Gain, c.Live.Trunks[1].Gain; a != test.wantA || b != test.want || c.Static.Sound.Limiter != test.limiter {
			t.Errorf("%q, %s: gain %v and %v, limiter %v", test.sound, test.b, a, b, c.Static.Sound.Limiter)
		}
	}
}

func TestTransfersAreTyped(t *testing.T) {
	c, err := loadText("version: 1\ntrunks:\n  - {name: a, accept: {from: [192.0.2.1]}}\n" +
		"  - {name: b, accept: {from: [192.0.2.2]}, transfer: [a, 192.0.2.0/24, SIP.example.org]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Live.Trunks[0].Transfer; a.Allowed {
		t.Errorf("by default: %+v", a)
	}
	want := Transfer{true, []string{"a"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, []string{"sip.example.org"}}
	if b := c.Live.Trunks[1].Transfer; !reflect.DeepEqual(b, want) {
		t.Errorf("got %+v, want %+v", b, want)
	}
}

func TestFileIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, drain string) {
		if err := os.WriteFile(name, []byte("version: 1\ndrain: "+drain+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("passerelle.yaml", "1s")
	write("env.yaml", "2s")
	write("flag.yaml", "3s")
	write("path.yaml", "4s")
	write("passerelle.json", "9s") // of another program
	write("passerelle", "9s")
	env := "PASSERELLE_CONFIG=env.yaml\n"
	for name, test := range map[string]struct {
		from Source
		want string
	}{
		"the working folder":               {source(t, "", nil), "passerelle.yaml"},
		"the environment before the place": {source(t, env, nil), "env.yaml"},
		"the flag before the environment":  {source(t, env, []string{"--config=flag.yaml"}), "flag.yaml"},
	} {
		c, err := Load(test.from)
		if err != nil || c.File != test.want {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	from := source(t, env, []string{"--config=flag.yaml"})
	from.Path = "path.yaml"
	if c, err := Load(from); err != nil || c.File != "path.yaml" || c.Live.Drain.Seconds() != 4 {
		t.Errorf("the path before all: %v, %v", c, err)
	}
	if _, err := Load(Source{Path: "nowhere.yaml"}); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("a file that is asked for and not there: %v", err)
	}
}

func TestOrigin(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("passerelle.yaml", []byte("version: 1\nnetworks:\n- name: voice\n  listen:\n  - udp://:5070\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(source(t, "PASSERELLE_DRAIN=1m", []string{"--http-listen=:80"}))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"networks[0].listen[0]": "passerelle.yaml:5",
		"networks[0].media":     "default",
		"drain":                 "env PASSERELLE_DRAIN",
		"http.listen":           "flag --http-listen",
	} {
		if got := c.Origin(path); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
}

func TestSecretsAreReadAndNeverShown(t *testing.T) {
	t.Chdir(t.TempDir())
	const canary = "canary-7"
	if err := os.Mkdir("etc", 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("etc", "c.yaml")
	for name, text := range map[string]string{
		file: "version: 1\nengines:\n- {name: house, embedded: {}}\n" +
			"- {name: visio, livekit: {url: \"wss://livekit.example.org\", api_key: " + canary + ", api_secret: file:secret.txt}, meet: {url: \"https://visio.example.org\", roomkit_token: env:HALL}}\n" +
			"trunks: [{name: pbx, trusted: true, accept: {from: [10.0.0.0/8]}}]\nmenus: [{name: m, pin: {digits: any}}]\n" +
			"routes: [{to: 1, menu: m, pin: 8640975}, {to: 2, menu: m, pin: env:PIN}, {to_match: (.), menu: m, pin: 8640975$1}]\n" +
			"rooms:\n- {name: a, password: " + canary + "}\n- {name: b, password: env:HALL}\n" +
			"- {name: c, password: file:secret.txt}\n- {name: d}\n",
		filepath.Join("etc", "secret.txt"): canary + "\r\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	from := source(t, "HALL="+canary+"\nPIN=8640975", nil)
	from.Path = file
	c, err := Load(from)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{canary, canary, canary, ""} {
		if got := c.Live.Rooms[i].Password; got.Reveal() != want || got.IsEmpty() != (want == "") {
			t.Errorf("room %d has %q", i, got.Reveal())
		}
	}
	visio := c.Static.Engines[1]
	for name, got := range map[string]Secret{"key": visio.LiveKit.Key, "secret": visio.LiveKit.Secret, "token": visio.Meet.RoomkitToken} {
		if got.Reveal() != canary {
			t.Errorf("%s is %q", name, got.Reveal())
		}
	}
	for i, want := range []string{"8640975", "8640975", "8640975$1"} {
		if got := c.Live.Routes[i].PIN.Reveal(); got != want {
			t.Errorf("the PIN of route %d is %q", i, got)
		}
	}
	var out bytes.Buffer
	if err := c.Effective(&out); err != nil {
		t.Fatal(err)
	}
	secret := c.Live.Rooms[0].Password
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", secret)
		fmt.Fprintf(&out, verb+"\n", c.Live.Rooms)
		fmt.Fprintf(&out, verb+"\n", c.Live.Routes)
		fmt.Fprintf(&out, verb+" "+verb+"\n", *visio.LiveKit, *visio.Meet)
		fmt.Fprintf(&out, verb+"\n", *c)
		fmt.Fprintf(&out, verb+"\n", *c.tree.get("rooms").items[0].get("password"))
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("config", "config", c, "secret", secret, "rooms", c.Live.Rooms, "engine", visio)
	}
	if err := json.NewEncoder(&out).Encode(c.Live.Rooms); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&out).Encode(c.Static); err != nil {
		t.Fatal(err)
	}
	if shown := out.String(); strings.Contains(shown, "8640975") || strings.Contains(shown, canary) || strings.Contains(shown, fmt.Sprintf("%x", canary)) {
		t.Errorf("shown:\n%s", shown)
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing says that there is a secret")
	}
}

func TestEffectiveLoadsAgain(t *testing.T) {
	c, err := loadText(`version: 1
trunks: [{name: pbx, accept: {from: [10.0.0.0/8]}, trusted: true}]
rooms: [{name: "007"}, {name: "no"}]
routes: [{to: 0123, room: "007"}, {to_match: "c-(.+)#?", room: "$1"}]
http: {public_url: "https://rooms.example.org"}
`)
	if err != nil {
		t.Fatal(err)
	}
	checkLoadsAgain(t, c)
	// The one secret that is printed as it is.
	c, err = loadText(`version: 1
engines:
- {name: a, livekit: {url: "http://livekit:7880/x/", api_key: "***", api_secret: "***"}, meet: {url: "http://meet:8000/", roomkit_token: "***"}, max_call: 0}
- {name: b, livekit: {url: "wss://[2001:db8::1]", api_key: "***", api_secret: "***", udp: "127.0.0.1:7900-7999"}, alone_timeout: 0s, max_call: 90m}
menus: [{name: m, engine: b, pin: {digits: 0}}]
trunks: [{name: pbx, accept: {from: [10.0.0.0/8]}}]
routes: [{from: [pbx], to_match: "(.)", menu: m, pin: "$1${1}"}, {to: 1, menu: m}, {to: 2, room: r, engine: a}]
http: {public_url: "https://nowhere.example.org"}
`)
	if err != nil {
		t.Fatal(err)
	}
	checkIsWhole(t, c)
	checkLoadsAgain(t, c)
}

// checkLoadsAgain loads what Effective prints, and wants the same.
func checkLoadsAgain(t *testing.T, c *Config) {
	t.Helper()
	var printed bytes.Buffer
	if err := c.Effective(&printed); err != nil {
		t.Fatal(err)
	}
	again, err := loadText(printed.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	if !reflect.DeepEqual(again.Static, c.Static) || !reflect.DeepEqual(again.Live, c.Live) {
		t.Fatalf("got %+v %+v\nwant %+v %+v\n%s", again.Static, again.Live, c.Static, c.Live, printed.String())
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"listen", "advertise", "media", "name", "to", "to_match"}
	for word, want := range map[string]string{
		"lisetn": "listen", "adverstise": "advertise", "tomatch": "to_match", "medium": "media",
		"x": "", "password": "", "": "", "nam": "name", "match": "to_match", "atch": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q is like %q, want %q", word, got, want)
		}
	}
}
