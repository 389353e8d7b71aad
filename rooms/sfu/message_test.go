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
		"join muted, with everything":    {`{"type":"join","name":"A","password":"p","offer":"o","resume":"r","moderator":"m","muted":true}`, request{Type: sayJoin, Name: "A", Password: "p", Offer: "o", Resume: "r", Moderator: "m", Muted: true}},
		"join carries no act":            {`{"type":"join","offer":"o","act":"admit","id":"k1"}`, request{Type: sayJoin, Offer: "o"}},
		"hand":                           {`{"type":"hand","raised":true,"muted":true}`, request{Type: sayHand, Raised: true}},
		"admit one":                      {`{"type":"moderate","act":"admit","id":"k1","number":"1"}`, request{Type: sayModerate, Act: actAdmit, ID: "k1"}},
		"admit all":                      {`{"type":"moderate","act":"admit"}`, request{Type: sayModerate, Act: actAdmit}},
		"remove nobody":                  {`{"type":"moderate","act":"remove"}`, request{}},
		"unmute everybody":               {`{"type":"moderate","act":"unmute"}`, request{}},
		"an act of a newer page":         {`{"type":"moderate","act":"promote","id":"b1"}`, request{}},
		"an endless id":                  {`{"type":"moderate","act":"mute","id":"` + strings.Repeat("x", maxID+1) + `"}`, request{}},
		"call":                           {`{"type":"moderate","act":"call","number":"+33 1 23","id":"x"}`, request{Type: sayModerate, Act: actCall, Number: "+33 1 23"}},
		"call nobody":                    {`{"type":"moderate","act":"call"}`, request{}},
		"call what cannot be dialled":    {`{"type":"moderate","act":"call","number":"1\n2"}`, request{}},
		"call an endless number":         {`{"type":"moderate","act":"call","number":"` + strings.Repeat("1", maxNumber+1) + `"}`, request{}},
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
		`{"type":"join","offer":"\ud800"}`, `{"type":"hand","raised":true}`, `{"type":"moderate","act":"decline"}`,
		`{"type":"moderate","act":"remove","id":"p1"}`, `{"type":"moderate","act":"call","number":"+33 1 23 45 67 89"}`,
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
		if len(ask.Password) > maxPassword || len(ask.Moderator) > maxPassword || len(ask.Resume) > maxResume ||
			len(ask.ID) > maxID || len(ask.Number) > maxNumber || ask.Type == sayJoin && ask.Offer == "" {
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
		&roomMessage{"room", "board", true, 8, true, true}, &joinedMessage{"joined", "b1", "v=0", "R", 8, true, true, []Way{{"+33 1 23 45 67 89", "sip:board@gw.example", "0042117"}}},
		&waitingMessage{"waiting", 600}, &admittedMessage{"admitted"},
		&deskMessage{"desk", []knockOnPage{{"k1", "Bob", "phone", 3}}, []callOnPage{{"c2", "112", "busy"}}, true},
		&rosterMessage{"roster", []personOnPage{{"b1", "Ada", "browser", true, 2, true, true, true}}},
		&levelsMessage{"levels", map[string]uint8{"b1": 38}}, &mutedMessage{"muted", true, true},
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
		}{}, sayLeave: struct{}{},
		sayHand: struct {
			Raised bool `json:"raised"`
		}{},
		sayJoin: struct {
			Name      string `json:"name"`
			Offer     string `json:"offer"`
			Password  string `json:"password"`
			Moderator string `json:"moderator"`
			Resume    string `json:"resume"`
			Muted     bool   `json:"muted"`
		}{},
		sayModerate: struct {
			Act    string `json:"act"`
			ID     string `json:"id"`
			Number string `json:"number"`
		}{},
		"waiting": waitingMessage{}, "admitted": admittedMessage{}, "desk": deskMessage{},
		"room": roomMessage{}, "joined": joinedMessage{}, "roster": rosterMessage{}, "levels": levelsMessage{},
		"muted": mutedMessage{}, "message": noteMessage{}, "ended": endedMessage{}, "error": errorMessage{},
	} {
		line, ok := lines[name]
		if !ok {
			t.Errorf("there is no line for %s", name)
		}
		fields := reflect.VisibleFields(reflect.TypeOf(message))
		switch name {
		case "roster":
			fields = append(fields, reflect.VisibleFields(reflect.TypeOf(personOnPage{}))...)
		case "joined":
			fields = append(fields, reflect.VisibleFields(reflect.TypeOf(Way{}))...)
		case "desk":
			fields = append(fields, reflect.VisibleFields(reflect.TypeOf(knockOnPage{}))...)
			fields = append(fields, reflect.VisibleFields(reflect.TypeOf(callOnPage{}))...)
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
		refuseModerator, refuseDeclined, refuseUnanswered, refuseRole, refuseCalls, endRemoved, endClosed, endReplaced, endShutdown,
	} {
		if !strings.Contains(lines["error"]+lines["ended"], "`"+word+"`") {
			t.Errorf("%s is not explained", word)
		}
	}
	for _, state := range []DialState{Calling, Ringing, Asked, Busy, NoAnswer, Declined, NoNumber, Unreachable, Forbidden, Limited, Unfinished} {
		if !strings.Contains(lines["desk"], "`"+string(state)+"`") {
			t.Errorf("the state %s of a call is not explained", state)
		}
	}
	for _, act := range []string{actAdmit, actDecline, actMute, actLower, actUnmute, actRemove, actCall, actHangup} {
		if !strings.Contains(lines[sayModerate], "`"+act+"`") {
			t.Errorf("the act %s is not explained", act)
		}
	}
}
