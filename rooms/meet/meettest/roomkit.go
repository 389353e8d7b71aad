package meettest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
)

// joinsPerMinute is Meet's ROOMKIT_JOIN_THROTTLE_RATES, of all who ask together.
const joinsPerMinute = 300

// join makes the dispatch rule of the meeting that has a PIN.
func (m *Meet) join(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	token, length := m.c.RoomkitToken, m.c.PINLength
	m.mu.Unlock()
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case token == "":
		detail(w, http.StatusUnauthorized, "Server-to-server token is not configured.")
		return
	case !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1:
		w.Header().Set("WWW-Authenticate", "Bearer realm='Roomkit server to server'")
		detail(w, http.StatusUnauthorized, "Invalid server-to-server token.")
		return
	}
	m.mu.Lock()
	wait := throttle(&m.joins, joinsPerMinute)
	m.mu.Unlock()
	if wait > 0 {
		tooMany(w, wait)
		return
	}
	var in struct {
		PIN *string `json:"pin_code"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.PIN == nil {
		say(w, http.StatusBadRequest, map[string][]string{"pin_code": {"This field is required."}})
		return
	}
	if len(*in.PIN) != length {
		say(w, http.StatusBadRequest, map[string][]string{"pin_code": {"PIN code length is invalid."}})
		return
	}
	meeting, ok := m.byPIN(*in.PIN)
	if !ok {
		detail(w, http.StatusNotFound, "No room found for this PIN code.")
		return
	}
	if err := m.ensureRule(r.Context(), meeting); err != nil {
		detail(w, http.StatusInternalServerError, "Could not create dispatch rule.")
		return
	}
	say(w, http.StatusOK, map[string]string{"status": "success"})
}

func (m *Meet) byPIN(pin string) (Meeting, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, meeting := range m.meetings {
		if meeting.PIN == pin {
			return meeting, true
		}
	}
	return Meeting{}, false
}

// webhook hears from LiveKit that a room has begun or ended.
func (m *Meet) webhook(w http.ResponseWriter, r *http.Request) {
	event, err := m.verified(r)
	if err != nil {
		say(w, http.StatusBadRequest, map[string]string{"status": "error"})
		return
	}
	m.mu.Lock()
	meeting, known := m.meetings[event.GetRoom().GetName()]
	m.mu.Unlock()
	switch {
	case event.GetEvent() == "room_started" && !known:
		err = errors.New("no such room")
	case event.GetEvent() == "room_started":
		err = m.ensureRule(r.Context(), meeting)
	case event.GetEvent() == "room_finished":
		err = m.deleteRules(r.Context(), event.GetRoom().GetName())
	}
	if err != nil {
		detail(w, http.StatusInternalServerError, "The event could not be processed.")
		return
	}
	m.hear(Event{event.GetEvent(), event.GetRoom().GetName()})
	say(w, http.StatusOK, map[string]string{"status": "success"})
}

// verified reads an event that LiveKit has signed: its token holds the SHA-256 of the body.
func (m *Meet) verified(r *http.Request) (*livekit.WebhookEvent, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	token, err := auth.ParseAPIToken(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	key, secret := m.c.Key, m.c.Secret
	m.mu.Unlock()
	if token.APIKey() != key {
		return nil, errors.New("the event is signed with another key")
	}
	_, claims, err := token.Verify(secret)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if claims.Sha256 != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, errors.New("the event is not the one that was signed")
	}
	event := new(livekit.WebhookEvent)
	return event, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, event)
}

// ruleName is how Meet knows its rules again.
func ruleName(room string) string { return "SIP_" + room }

// ensureRule makes the meeting's dispatch rule, unless there is one.
func (m *Meet) ensureRule(ctx context.Context, meeting Meeting) error {
	ids, err := m.ruleIDs(ctx, meeting.ID)
	if err != nil || len(ids) > 0 {
		return err
	}
	_, err = m.client().CreateSIPDispatchRule(ctx, &livekit.CreateSIPDispatchRuleRequest{
		Name: ruleName(meeting.ID),
		Rule: &livekit.SIPDispatchRule{Rule: &livekit.SIPDispatchRule_DispatchRuleDirect{
			DispatchRuleDirect: &livekit.SIPDispatchRuleDirect{RoomName: meeting.ID, Pin: meeting.PIN},
		}},
	})
	return err
}

func (m *Meet) deleteRules(ctx context.Context, room string) error {
	ids, err := m.ruleIDs(ctx, room)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := m.client().DeleteSIPDispatchRule(ctx, &livekit.DeleteSIPDispatchRuleRequest{SipDispatchRuleId: id}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Meet) ruleIDs(ctx context.Context, room string) (ids []string, err error) {
	client := m.client()
	if client == nil {
		return nil, errors.New("this Meet has no LiveKit")
	}
	answer, err := client.ListSIPDispatchRule(ctx, &livekit.ListSIPDispatchRuleRequest{})
	if err != nil {
		return nil, err
	}
	for _, rule := range answer.GetItems() {
		if rule.GetName() == ruleName(room) {
			ids = append(ids, rule.GetSipDispatchRuleId())
		}
	}
	return ids, nil
}

func (m *Meet) client() livekit.SIP {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sip
}

// sipClient speaks to LiveKit's SIP API as its administrator.
func sipClient(at *url.URL, key, secret string) livekit.SIP {
	own := *at
	own.Scheme = strings.Replace(own.Scheme, "ws", "http", 1)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return livekit.NewSIPProtobufClient(own.String(), client, twirp.WithClientHooks(&twirp.ClientHooks{
		RequestPrepared: func(ctx context.Context, r *http.Request) (context.Context, error) {
			token, err := auth.NewAccessToken(key, secret).
				SetSIPGrant(&auth.SIPGrant{Admin: true}).SetValidFor(time.Minute).ToJWT()
			r.Header.Set("Authorization", "Bearer "+token)
			return ctx, err
		},
	}))
}

// throttle counts a request, and returns how long the next one of this kind has to wait if there were too many in
// the last minute.
func throttle(seen *[]time.Time, perMinute int) time.Duration {
	now := time.Now()
	recent := (*seen)[:0]
	for _, at := range *seen {
		if now.Sub(at) < time.Minute {
			recent = append(recent, at)
		}
	}
	*seen = recent
	if len(recent) >= perMinute {
		return recent[0].Add(time.Minute).Sub(now)
	}
	*seen = append(recent, now)
	return 0
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	detail(w, http.StatusTooManyRequests, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds))
}
