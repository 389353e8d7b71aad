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
	maxID       = 64       // bytes
	maxNumber   = 64       // bytes of what is dialled
)

// What a browser can say.
const (
	sayJoin     = "join"
	sayMute     = "mute"
	sayHand     = "hand"
	sayModerate = "moderate"
	sayLeave    = "leave"
)

// What a moderator can do. Without an id, the first four are for everybody whom they can be for.
const (
	actAdmit   = "admit"
	actDecline = "decline"
	actMute    = "mute"
	actLower   = "lower" // a raised hand
	actUnmute  = "unmute"
	actRemove  = "remove"
	actCall    = "call" // number
	actHangup  = "hangup"
)

// request is a message from a browser.
type request struct {
	Type string `json:"type"`
	// join
	Name     string `json:"name,omitempty"`
	Password string `json:"password,omitempty"`
	Offer    string `json:"offer,omitempty"`
	Resume   string `json:"resume,omitempty"`
	// join: the moderator's password
	Moderator string `json:"moderator,omitempty"`
	// join and mute
	Muted bool `json:"muted,omitempty"`
	// hand
	Raised bool `json:"raised,omitempty"`
	// moderate
	Act    string `json:"act,omitempty"`
	ID     string `json:"id,omitempty"`
	Number string `json:"number,omitempty"`
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
		case len(all.Password) > maxPassword, len(all.Moderator) > maxPassword, len(all.Resume) > maxResume:
			return request{}, fmt.Errorf("%w: password or resume is too long", errMessage)
		}
		return request{
			Type: sayJoin, Name: all.Name, Password: all.Password, Offer: all.Offer, Resume: all.Resume,
			Moderator: all.Moderator, Muted: all.Muted,
		}, nil
	case sayHand:
		return request{Type: sayHand, Raised: all.Raised}, nil
	case sayModerate:
		return parseAct(all)
	case sayMute:
		return request{Type: sayMute, Muted: all.Muted}, nil
	case sayLeave:
		return request{Type: sayLeave}, nil
	}
	return request{}, fmt.Errorf("%w: type %q", errMessage, all.Type)
}

// parseAct reads and checks what a moderator wants done. Whether it is one, and whether there is anybody of that id, is
// seen where it is done.
func parseAct(all request) (request, error) {
	ask := request{Type: sayModerate, Act: all.Act, ID: all.ID}
	wrong := ask.ID == ""
	switch ask.Act {
	case actAdmit, actDecline, actMute, actLower:
		wrong = false
	case actUnmute, actRemove, actHangup:
	case actCall:
		ask.ID, ask.Number = "", all.Number
		wrong = ask.Number == "" || len(ask.Number) > maxNumber ||
			strings.ContainsFunc(ask.Number, func(r rune) bool { return r < ' ' || r > '~' })
	default:
		return request{}, fmt.Errorf("%w: act %q", errMessage, ask.Act)
	}
	if wrong || len(ask.ID) > maxID {
		return request{}, fmt.Errorf("%w: %s of whom", errMessage, ask.Act)
	}
	return ask, nil
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

// Why a join is refused, or an act.
const (
	refusePassword   = "password"
	refuseModerator  = "moderator"  // the moderator's password is wrong
	refuseDeclined   = "declined"   // by a moderator
	refuseUnanswered = "unanswered" // no moderator has answered the knock
	refuseRole       = "role"       // only a moderator may
	refuseCalls      = "calls"      // no calls out, or too many at once
	refuseTries      = "tries"
	refuseFull       = "full"
	refuseRoom       = "room"
	refuseName       = "name"
	refuseMedia      = "media"
	refuseMessage    = "message"
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
		// Moderator says that a password makes one, Waiting that who has none waits for one.
		Moderator bool `json:"moderator"`
		Waiting   bool `json:"waiting"`
	}
	waitingMessage struct {
		Type    string `json:"type"`    // waiting
		Seconds int    `json:"seconds"` // at most
	}
	admittedMessage struct {
		Type string `json:"type"` // admitted
	}
	joinedMessage struct {
		Type   string `json:"type"` // joined
		ID     string `json:"id"`
		Answer string `json:"answer"`
		Resume string `json:"resume"`
		Slots  int    `json:"slots"`
		Muted  bool   `json:"muted"`
		// Moderator says that this browser is one.
		Moderator bool  `json:"moderator"`
		Dial      []Way `json:"dial,omitempty"`
	}
	deskMessage struct {
		Type   string        `json:"type"` // desk
		Knocks []knockOnPage `json:"knocks"`
		Calls  []callOnPage  `json:"calls"`
		Dial   bool          `json:"dial"` // calls out are allowed
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
		Held  bool   `json:"held"` // only a moderator may change it
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
	Hand  int    `json:"hand,omitempty"` // raised: 1 was the first
	Lost  bool   `json:"lost,omitempty"` // the connection is; the place is kept for a while

	Moderator bool `json:"moderator,omitempty"`
	Calling   bool `json:"calling,omitempty"` // it is still being called
}

// knockOnPage is one who waits at the door, longest first.
type knockOnPage struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`    // browser, phone
	Seconds int    `json:"seconds"` // since the knock
}

// callOnPage is one call out that is not answered yet, or has failed lately.
type callOnPage struct {
	ID     string `json:"id"`
	Number string `json:"number"`
	State  string `json:"state"`
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
	return personOnPage{ID: who.ID, Name: who.Name, Kind: kind, Muted: who.Muted, Moderator: who.Moderator, Calling: who.Calling}
}

// encode writes a message of ours, which cannot fail.
func encode(message any) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}
