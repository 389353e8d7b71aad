package meet

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"passerelle/rooms"
)

// A PIN that is found in a list opens its room a second after the rule has gone, at worst. One that is not found is
// looked for in a list that is newer than the caller's last digit, and such lists are asked for four times a second at
// most, however many callers guess. Callers share a list, and never two are asked for at once.
const (
	goodFor = time.Second
	apart   = time.Second / 4
)

// rule is a dispatch rule of LiveKit's that a caller's PIN can match.
type rule struct{ pin, room string }

// book is LiveKit's list of dispatch rules.
type book struct {
	api         livekit.SIP
	key, secret string
	where       string // LiveKit's host, for errors

	mu   sync.Mutex
	read *reading // the last that ended well
	now  *reading // the one under way
}

// reading is the list as it was at one time. It is written before done is closed, and not any more.
type reading struct {
	began time.Time
	rules []rule
	err   error
	gone  bool // err is that whoever read has hung up
	done  chan struct{}
}

// room returns the room whose rule has this PIN.
func (b *book) room(ctx context.Context, pin string) (string, error) {
	called := time.Now()
	list, err := b.since(ctx, called.Add(-goodFor))
	if err != nil {
		return "", err
	}
	room, ok := match(list.rules, pin)
	if !ok && list.began.Before(called) {
		if err := sleep(ctx, time.Until(list.began.Add(apart))); err != nil {
			return "", err
		}
		if list, err = b.since(ctx, called); err != nil {
			return "", err
		}
		room, ok = match(list.rules, pin)
	}
	if !ok {
		return "", rooms.ErrNoRoom
	}
	return room, nil
}

// match looks at every rule, and at the whole of its PIN, so that the time it takes does not tell how near a guess was.
func match(list []rule, pin string) (room string, ok bool) {
	for i := range list {
		if subtle.ConstantTimeCompare([]byte(list[i].pin), []byte(pin)) == 1 {
			room, ok = list[i].room, true
		}
	}
	return room, ok
}

// since returns the rules as they were at that time or later. One caller reads, the others wait for it; if that one
// hangs up meanwhile, the next reads.
func (b *book) since(ctx context.Context, oldest time.Time) (*reading, error) {
	for {
		b.mu.Lock()
		if b.read != nil && !b.read.began.Before(oldest) {
			defer b.mu.Unlock()
			return b.read, nil
		}
		r := b.now
		if r == nil {
			r = &reading{began: time.Now(), done: make(chan struct{})}
			b.now = r
			b.mu.Unlock()
			b.fill(ctx, r)
			return r, r.err
		}
		b.mu.Unlock()
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if r.err != nil && !r.gone {
			return nil, r.err
		}
	}
}

// fill reads the list, as the only one.
func (b *book) fill(ctx context.Context, r *reading) {
	r.err = errors.New("the list of dispatch rules was not read to its end") // should list panic
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.now = nil
		if r.err == nil {
			b.read = r
		}
		close(r.done)
	}()
	r.rules, r.err = b.list(ctx)
	r.gone = ctx.Err() != nil
}

// list asks LiveKit. Without a page in the request, it returns all.
func (b *book) list(ctx context.Context) ([]rule, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token, err := auth.NewAccessToken(b.key, b.secret).
		SetSIPGrant(&auth.SIPGrant{Admin: true}).SetValidFor(time.Minute).ToJWT()
	if err != nil {
		return nil, fmt.Errorf("sign the token for LiveKit's SIP API: %w", err)
	}
	limited, err = twirp.WithHTTPRequestHeaders(limited, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return nil, fmt.Errorf("authorize at LiveKit's SIP API: %w", err)
	}
	answer, err := b.api.ListSIPDispatchRule(limited, &livekit.ListSIPDispatchRuleRequest{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &Error{Act: "list the dispatch rules of LiveKit at " + b.where, Err: err, Remedy: livekitRemedy(err)}
	}
	var list []rule
	for _, info := range answer.GetItems() {
		if direct := info.GetRule().GetDispatchRuleDirect(); direct.GetPin() != "" && direct.GetRoomName() != "" && forAnybody(info) {
			list = append(list, rule{pin: direct.GetPin(), room: direct.GetRoomName()})
		}
	}
	return list, nil
}

// forAnybody reports whether a rule is for the calls of every trunk and number, as Meet's are. Others are somebody
// else's, for callers who are not ours.
func forAnybody(info *livekit.SIPDispatchRuleInfo) bool {
	return len(info.GetTrunkIds()) == 0 && len(info.GetInboundNumbers()) == 0 && len(info.GetNumbers()) == 0
}

// livekitRemedy says what an administrator can do about an error of LiveKit's API.
func livekitRemedy(err error) string {
	var unreached *url.Error
	var said twirp.Error
	if errors.As(err, &unreached) || !errors.As(err, &said) {
		return "see that livekit.url leads to a LiveKit server that can be reached from here"
	}
	switch said.Code() {
	case twirp.Unauthenticated, twirp.PermissionDenied:
		return "livekit.api_key and livekit.api_secret must be a pair of LiveKit's keys, and both clocks right"
	case twirp.NotFound, twirp.BadRoute, twirp.Unimplemented:
		return "see that livekit.url leads to a LiveKit server, and not past it"
	case twirp.Internal, twirp.Unknown:
		return "see that livekit.url leads to a LiveKit server that has Redis: without it there is no SIP API"
	}
	return "see LiveKit's log"
}
