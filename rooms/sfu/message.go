package sfu

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"passerelle/rooms"
)

// Limits of what a browser may send.
const (
	maxMessage  = 64 << 10 // bytes, before and with the join
	maxCommand  = 4 << 10  // bytes, after it
	maxName     = 64       // characters of a person's name
	maxPassword = 256      // bytes
	maxResume   = 64       // bytes
)

// What a browser can say.
const (
	sayJoin  = "join"
	sayMute  = "mute"
	sayLeave = "leave"
)

// request is a message from a browser.
type request struct {
	Type string `json:"type"`
	// join
	Name     string `json:"name,omitempty"`
	Password string `json:"password,omitempty"`
	Offer    string `json:"offer,omitempty"`
	Resume   string `json:"resume,omitempty"`
	// join and mute
	Muted bool `json:"muted,omitempty"`
}

// parseRequest reads and checks one message. Fields that are not known are left out, so that a page may be
// newer than its server.
func parseRequest(text []byte) (request, error) {
	var all request
	if !utf8.Valid(text) {
		return request{}, fmt.Errorf("%w: not UTF-8", errMessage)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return request{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	switch all.Type {
	case sayJoin:
		switch {
		case all.Offer == "":
			return request{}, fmt.Errorf("%w: join without an offer", errMessage)
		case len(all.Password) > maxPassword, len(all.Resume) > maxResume:
			return request{}, fmt.Errorf("%w: password or resume is too long", errMessage)
		}
		return all, nil
	case sayMute:
		return request{Type: sayMute, Muted: all.Muted}, nil
	case sayLeave:
		return request{Type: sayLeave}, nil
	}
	return request{}, fmt.Errorf("%w: type %q", errMessage, all.Type)
}

// cleanName returns a person's name as others shall see it; false if nothing is left of it, or too much.
// Characters that are not seen, or that change how those around them are seen, go.
func cleanName(name string) (string, bool) {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200d': // joins emoji
			return r
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	return name, name != "" && utf8.RuneCountInString(name) <= maxName
}

// Why a join is refused.
const (
	refusePassword = "password"
	refuseTries    = "tries"
	refuseFull     = "full"
	refuseRoom     = "room"
	refuseName     = "name"
	refuseMedia    = "media"
	refuseMessage  = "message"
)

// Why a browser's time in a room ends; of endLeft nobody is told.
const (
	endLeft     = "left"
	endRemoved  = "removed"
	endClosed   = "closed"
	endReplaced = "replaced"
	endShutdown = "shutdown"
)

// What we say to browsers.
type (
	roomMessage struct {
		Type     string `json:"type"` // room
		Name     string `json:"name"`
		Password bool   `json:"password"`
		Slots    int    `json:"slots"`
	}
	joinedMessage struct {
		Type   string `json:"type"` // joined
		ID     string `json:"id"`
		Answer string `json:"answer"`
		Resume string `json:"resume"`
		Slots  int    `json:"slots"`
		Muted  bool   `json:"muted"`
	}
	rosterMessage struct {
		Type   string         `json:"type"` // roster
		People []personOnPage `json:"people"`
	}
	levelsMessage struct {
		Type   string           `json:"type"` // levels
		Levels map[string]uint8 `json:"levels"`
	}
	mutedMessage struct {
		Type  string `json:"type"` // muted
		Muted bool   `json:"muted"`
	}
	noteMessage struct {
		Type string `json:"type"` // message
		From string `json:"from"`
		Kind string `json:"kind"` // digits, text
		Text string `json:"text"`
	}
	endedMessage struct {
		Type   string `json:"type"` // ended
		Reason string `json:"reason"`
	}
	errorMessage struct {
		Type string `json:"type"` // error
		Code string `json:"code"`
		Text string `json:"text"`
	}
)

// personOnPage is one line of the roster.
type personOnPage struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"` // browser, phone, agent
	Muted bool   `json:"muted"`
	Hand  bool   `json:"hand,omitempty"` // raised
	Lost  bool   `json:"lost,omitempty"` // the connection is; the place is kept for a while
}

// onPage returns a participant as the page shows it.
func onPage(who rooms.Participant) personOnPage {
	kind := "browser"
	switch who.Kind {
	case rooms.Phone:
		kind = "phone"
	case rooms.Agent:
		kind = "agent"
	}
	return personOnPage{ID: who.ID, Name: who.Name, Kind: kind, Muted: who.Muted}
}

// encode writes a message of ours, which cannot fail.
func encode(message any) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}
