package sfu

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseRequest(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want request // zero for a refusal
	}{
		"join":                           {`{"type":"join","name":"Ada","offer":"v=0"}`, request{Type: sayJoin, Name: "Ada", Offer: "v=0"}},
		"join of a newer page":           {`{"type":"join","offer":"v=0","camera":{"on":true}}`, request{Type: sayJoin, Offer: "v=0"}},
		"join muted, with everything":    {`{"type":"join","name":"A","password":"p","offer":"o","resume":"r","muted":true}`, request{sayJoin, "A", "p", "o", "r", true}},
		"mute":                           {`{"type":"mute","muted":true}`, request{Type: sayMute, Muted: true}},
		"mute carries nothing else":      {`{"type":"mute","muted":false,"name":"Eve","resume":"r"}`, request{Type: sayMute}},
		"leave":                          {`{"type":"leave"}`, request{Type: sayLeave}},
		"join without an offer":          {`{"type":"join","name":"Ada"}`, request{}},
		"join with an endless password":  {`{"type":"join","offer":"o","password":"` + strings.Repeat("x", maxPassword+1) + `"}`, request{}},
		"unknown type":                   {`{"type":"video"}`, request{}},
		"no type":                        {`{}`, request{}},
		"not an object":                  {`[1]`, request{}},
		"two objects":                    {`{"type":"leave"}{"type":"leave"}`, request{}},
		"muted that is not a truth":      {`{"type":"mute","muted":"yes"}`, request{}},
		"not UTF-8":                      {"{\"type\":\"leave\",\"name\":\"\xff\"}", request{}},
		"nothing":                        {``, request{}},
		"deeper than anything of ours":   {strings.Repeat(`[`, 100_000), request{}},
		"a key twice: the last is taken": {`{"type":"mute","type":"leave"}`, request{Type: sayLeave}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseRequest([]byte(c.text))
			if refused := c.want == (request{}); refused != errors.Is(err, errMessage) {
				t.Fatalf("error %v, want a refusal: %v", err, refused)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// FuzzParseRequest: what is understood is within the limits, and is understood the same when it is
// written anew.
func FuzzParseRequest(f *testing.F) {
	for _, text := range []string{
		`{"type":"join","name":"Ada","password":"sesame","offer":"v=0\r\n","resume":"ABC","muted":true}`,
		`{"type":"mute","muted":true}`, `{"type":"leave"}`, `{"type":"leave","x":[{}]}`, `{"TYPE":"leave"}`, `null`, `"join"`,
		`{"type":"join","offer":"\ud800"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ask, err := parseRequest(text)
		if err != nil {
			if ask != (request{}) {
				t.Fatalf("%+v beside the error %v", ask, err)
			}
			return
		}
		if len(ask.Password) > maxPassword || len(ask.Resume) > maxResume || ask.Type == sayJoin && ask.Offer == "" {
			t.Fatalf("%+v is beyond the limits", ask)
		}
		again, err := json.Marshal(ask)
		if err != nil {
			t.Fatalf("write %+v: %v", ask, err)
		}
		if got, err := parseRequest(again); err != nil || got != ask {
			t.Fatalf("%s is read as %+v (%v), want %+v", again, got, err, ask)
		}
		if name, ok := cleanName(ask.Name); ok {
			if twice, ok := cleanName(name); !ok || twice != name || !utf8.ValidString(name) {
				t.Fatalf("the clean name of %q is %q, and of that %q", ask.Name, name, twice)
			}
		}
	})
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"Ada":                           "Ada",
		"  Ada \t Lovelace\n":           "Ada Lovelace",
		"Zoë 林 👩‍👧":                     "Zoë 林 👩‍👧",
		"Ada\u202egnp.exe":              "Adagnp.exe",
		"\u200b\u2060":                  "",
		"":                              "",
		strings.Repeat("é", maxName):    strings.Repeat("é", maxName),
		strings.Repeat("é", maxName+1):  "",
		"\x00<script>alert(1)</script>": "<script>alert(1)</script>", // the page writes text, not HTML
	} {
		got, ok := cleanName(name)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("cleanName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestMessagesAreWrittenAsTheyAreRead(t *testing.T) {
	for _, message := range []any{
		&roomMessage{"room", "board", true, 8}, &joinedMessage{"joined", "b1", "v=0", "R", 8, true},
		&rosterMessage{"roster", []personOnPage{{"b1", "Ada", "browser", true, true, true}}},
		&levelsMessage{"levels", map[string]uint8{"b1": 38}}, &mutedMessage{"muted", true},
		&noteMessage{"message", "p1", "digits", "12#"}, &endedMessage{"ended", endClosed}, &errorMessage{"error", refuseFull, "full"},
	} {
		text := encode(message)
		again := reflect.New(reflect.TypeOf(message).Elem()).Interface()
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(again); err != nil || !reflect.DeepEqual(again, message) {
			t.Errorf("%s is read as %+v (%v), want %+v", text, again, err, message)
		}
	}
}

// TestDocs: docs/rooms.md names every message and every field of it.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/rooms.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]string) // of the tables, by what stands in the first column
	for line := range strings.Lines(string(doc)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			lines[name] += line
		}
	}
	for name, message := range map[string]any{
		sayMute: struct {
			Muted bool `json:"muted"`
		}{}, sayJoin: request{}, sayLeave: struct{}{},
		"room": roomMessage{}, "joined": joinedMessage{}, "roster": rosterMessage{}, "levels": levelsMessage{},
		"muted": mutedMessage{}, "message": noteMessage{}, "ended": endedMessage{}, "error": errorMessage{},
	} {
		line, ok := lines[name]
		if !ok {
			t.Errorf("there is no line for %s", name)
		}
		fields := reflect.VisibleFields(reflect.TypeOf(message))
		if name == "roster" {
			fields = append(fields, reflect.VisibleFields(reflect.TypeOf(personOnPage{}))...)
		}
		for _, f := range fields {
			field, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if field != "type" && !strings.Contains(line, "`"+field+"`") {
				t.Errorf("the line for %s does not name %s", name, field)
			}
		}
	}
	for _, word := range []string{
		refusePassword, refuseTries, refuseFull, refuseRoom, refuseName, refuseMedia, refuseMessage,
		endRemoved, endClosed, endReplaced, endShutdown,
	} {
		if !strings.Contains(lines["error"]+lines["ended"], "`"+word+"`") {
			t.Errorf("%s is not explained", word)
		}
	}
}
