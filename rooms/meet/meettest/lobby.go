package meettest

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"time"
)

// Meet's own settings of its waiting room.
const (
	cookieName      = "lobbyParticipantId"
	knocksPerMinute = 150 // of one cookie
	waitingFor      = 3 * time.Second
	deniedFor       = 5 * time.Second
	acceptedFor     = 6 * time.Hour
)

// The states of one who knocks.
const (
	waiting  = "waiting"
	accepted = "accepted"
	denied   = "denied"
)

// guest is an entry of the waiting room.
type guest struct {
	Guest
	room   string
	status string
	until  time.Time // then Meet forgets it
}

// Guest is one who waits, as the page of the meeting shows them.
type Guest struct{ ID, Name, Color string }

// requestEntry hears a knock.
func (m *Meet) requestEntry(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var id string
	if c, err := r.Cookie(cookieName); err == nil {
		id = c.Value
		seen := m.asked[id]
		wait := throttle(&seen, knocksPerMinute)
		m.asked[id] = seen
		if wait > 0 {
			tooMany(w, wait)
			return
		}
	}
	var in struct {
		Name string `json:"username"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name == "" {
		say(w, http.StatusBadRequest, map[string][]string{"username": {"This field may not be blank."}})
		return
	}
	meeting, ok := m.meetings[r.PathValue("room")]
	if !ok {
		detail(w, http.StatusNotFound, "No Room matches the given query.")
		return
	}
	id = cmp.Or(id, newUUID())
	g := m.knock(meeting, id, in.Name)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: id, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	answer := map[string]any{"status": g.status, "username": g.Name, "id": g.ID, "color": g.Color, "livekit": nil}
	if g.status == accepted {
		answer["livekit"] = map[string]string{"url": "https://livekit.invalid", "room": meeting.ID, "token": "not-for-telephones"}
	}
	say(w, http.StatusOK, answer)
}

// knock brings one entry up to date. Called with mu held.
func (m *Meet) knock(meeting Meeting, id, name string) *guest {
	now := time.Now()
	g := m.guests[id]
	if g == nil || g.room != meeting.ID || !now.Before(g.until) {
		g = &guest{Guest: Guest{id, name, color(id)}, room: meeting.ID, status: waiting, until: now.Add(waitingFor)}
		if meeting.Access != Public {
			m.guests[id] = g
		}
	}
	switch {
	case meeting.Access == Public:
		g.status = accepted
	case g.status == waiting:
		g.until = now.Add(waitingFor)
	}
	return g
}

// Waiting returns who waits for a meeting, in the order of their names.
func (m *Meet) Waiting(room string) []Guest {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Guest
	for _, g := range m.guests {
		if g.room == room && g.status == waiting && time.Now().Before(g.until) {
			list = append(list, g.Guest)
		}
	}
	slices.SortFunc(list, func(a, b Guest) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Accept lets one in who waits; it reports whether there was one.
func (m *Meet) Accept(id string) bool { return m.decide(id, accepted, acceptedFor) }

// Deny sends one away who waits; it reports whether there was one.
func (m *Meet) Deny(id string) bool { return m.decide(id, denied, deniedFor) }

func (m *Meet) decide(id, status string, keep time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.guests[id]
	now := time.Now()
	if g == nil || !now.Before(g.until) {
		return false
	}
	g.status, g.until = status, now.Add(keep)
	return true
}

// color is one of Meet's range, the same for the same id.
func color(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	sum := h.Sum32()
	return fmt.Sprintf("hsl(%d, %d%%, %d%%)", sum%361, 50+sum>>9%26, 25+sum>>18%36)
}

// newUUID returns a random UUID (RFC 9562 section 5.4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
