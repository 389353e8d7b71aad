package meet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"passerelle/rooms"
)

// Meet forgets one who waits after three seconds without a word (LOBBY_WAITING_TIMEOUT), and allows 150 words a
// minute. Whoever was forgotten is waiting again with the next word.
const (
	knockEvery = 1500 * time.Millisecond
	ailingFor  = 20 * time.Second // how long Meet may be out of order without a caller being told
	holdBack   = 5 * time.Second  // where Meet says that it is asked too often, and not for how long
	maxName    = 100              // characters
	nameless   = "Phone"
	maxCookies = 8
	maxCookie  = 1 << 10 // bytes
)

// guest is one caller at the waiting room's door. Meet knows it by the cookie that it was given.
type guest struct {
	api     *api
	room    string
	name    string
	cookies []*http.Cookie
	ailing  time.Time // since when Meet has not answered; zero: it does
}

// entry is what Meet says of a guest.
type entry struct {
	Status string `json:"status"`
	Color  string `json:"color"`
}

// What a guest can be.
const (
	waiting  = "waiting"
	accepted = "accepted"
	denied   = "denied"
)

// Admit knocks at Meet's waiting room until somebody opens or refuses, nobody did in time, or ctx is done: then Meet
// forgets the guest by itself. Public rooms open at once.
func (r *Reception) Admit(ctx context.Context, to rooms.Entry, name string, onWaiting func()) (map[string]string, error) {
	room := to.Room
	if r.meet == nil || !r.lobby {
		return attributes(""), nil
	}
	if !isUUID(room) {
		return nil, fmt.Errorf("knock at %q: %w: %w", room, errURL, rooms.ErrNoRoom)
	}
	late, cancel := context.WithTimeout(ctx, r.lobbyTimeout)
	defer cancel()
	g := &guest{api: r.meet, room: room, name: displayName(name)}
	told := false
	for {
		again := time.Now().Add(knockEvery)
		said, pause, err := g.knock(late)
		switch {
		case late.Err() != nil:
			return nil, overdue(ctx)
		case err != nil:
			return nil, err
		case said.Status == accepted:
			return attributes(said.Color), nil
		case said.Status == denied:
			return nil, rooms.ErrDenied
		case said.Status == waiting && !told:
			told = true
			onWaiting()
		}
		if err := sleep(late, max(pause, time.Until(again))); err != nil {
			return nil, overdue(ctx)
		}
	}
}

// overdue tells a caller who has gone from one to whom nobody opened.
func overdue(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return rooms.ErrUnanswered
}

// knock says once that the guest is there. Where Meet is out of order for a moment, nothing is said and nothing is
// wrong; pause is how long it wants not to be asked.
func (g *guest) knock(ctx context.Context) (said entry, pause time.Duration, err error) {
	answer, err := g.api.post(ctx, map[string]string{"username": g.name}, "", g.cookies, "rooms", g.room, "request-entry")
	if err == nil {
		g.keep(answer.cookies)
		switch {
		case answer.status == http.StatusTooManyRequests:
			g.ailing = time.Time{}
			if answer.retryAfter == 0 {
				return entry{}, holdBack, nil
			}
			return entry{}, answer.retryAfter, nil
		case answer.status < http.StatusInternalServerError:
			g.ailing = time.Time{}
			said, err := parseEntry(answer)
			return said, 0, err
		}
		err = &StatusError{Code: answer.status}
	}
	if g.ailing.IsZero() {
		g.ailing = time.Now()
	}
	if time.Since(g.ailing) < ailingFor {
		return entry{}, 0, nil
	}
	remedy := reachRemedy
	if answer != nil {
		remedy = proxyRemedy(answer)
	}
	return entry{}, 0, &Error{Act: "knock at Meet's waiting room at " + g.api.base.Host, Err: err, Remedy: remedy}
}

// parseEntry reads what is answered to a knock by a Meet that is well.
func parseEntry(answer *reply) (entry, error) {
	wrong := func(err error, remedy string) (entry, error) {
		return entry{}, &Error{Act: "knock at Meet's waiting room", Err: err, Remedy: remedy}
	}
	switch {
	case answer.status == http.StatusNotFound && answer.json:
		return entry{}, fmt.Errorf("ask for entry to a room that Meet has no more: %w", rooms.ErrNoRoom)
	case answer.status != http.StatusOK:
		return wrong(&StatusError{Code: answer.status, Location: answer.location}, proxyRemedy(answer))
	}
	var said entry
	if err := json.Unmarshal(answer.body, &said); err != nil || !answer.json {
		return wrong(errForeign, "see that meet.url leads to Meet")
	}
	if said.Status != waiting && said.Status != accepted && said.Status != denied {
		return wrong(errStatus, "this Meet is newer than this gateway: look for a newer one, or set meet.lobby to never")
	}
	return said, nil
}

// keep remembers the cookies that Meet sets, as a browser would, but for this guest alone, and for one host. Meet marks
// its cookie as secure even where it is reached by plain HTTP, inside a cluster: it goes back where it came from.
func (g *guest) keep(set []*http.Cookie) {
	for _, c := range set {
		g.cookies = slices.DeleteFunc(g.cookies, func(old *http.Cookie) bool { return old.Name == c.Name })
		if c.MaxAge >= 0 && len(g.cookies) < maxCookies && len(c.Name)+len(c.Value) <= maxCookie {
			g.cookies = append(g.cookies, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// displayName makes a name one that Meet takes: not empty, not too long, one line.
func displayName(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, name))
	if runes := []rune(name); len(runes) > maxName {
		name = strings.TrimSpace(string(runes[:maxName]))
	}
	if name == "" {
		return nameless
	}
	return name
}

// isUUID reports whether a room's name is one of Meet's: lower-case or upper-case hexadecimal digits, 8-4-4-4-12.
func isUUID(room string) bool {
	if len(room) != 36 {
		return false
	}
	for i, c := range []byte(room) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if hyphen != (c == '-') || !hyphen && !hex {
			return false
		}
	}
	return true
}
