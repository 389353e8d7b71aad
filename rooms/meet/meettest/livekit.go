package meettest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
)

// LiveKit plays the dispatch rules of a LiveKit's SIP API, and nothing else of it, where a test needs no real one. It
// is an http.Handler.
type LiveKit struct {
	livekit.SIP // what is not played panics
	key, secret string
	twirp       http.Handler

	mu    sync.Mutex
	rules []*livekit.SIPDispatchRuleInfo
	made  int
	lists int
	fault error
	gate  func()
}

// NewLiveKit returns one that has no rules yet.
func NewLiveKit(key, secret string) *LiveKit {
	l := &LiveKit{key: key, secret: secret}
	l.twirp = livekit.NewSIPServer(l)
	return l
}

// Lists returns how often the rules were asked for.
func (l *LiveKit) Lists() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lists
}

// Break answers every list with an error; nil mends it.
func (l *LiveKit) Break(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
}

// Slow calls wait before every list is answered.
func (l *LiveKit) Slow(wait func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = wait
}

// AddRule makes a rule of any kind.
func (l *LiveKit) AddRule(info *livekit.SIPDispatchRuleInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	info.SipDispatchRuleId = fmt.Sprintf("SDR_%d", l.made)
	l.rules = append(l.rules, info)
}

// AddDirect makes a rule as Meet does.
func (l *LiveKit) AddDirect(room, pin string) {
	l.AddRule(&livekit.SIPDispatchRuleInfo{
		Name: ruleName(room),
		Rule: &livekit.SIPDispatchRule{Rule: &livekit.SIPDispatchRule_DispatchRuleDirect{
			DispatchRuleDirect: &livekit.SIPDispatchRuleDirect{RoomName: room, Pin: pin},
		}},
	})
}

// ServeHTTP lets administrators in.
func (l *LiveKit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, err := auth.ParseAPIToken(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil || token.APIKey() != l.key {
		_ = twirp.WriteError(w, twirp.NewError(twirp.Unauthenticated, "no such key"))
		return
	}
	if _, claims, err := token.Verify(l.secret); err != nil || claims.SIP == nil || !claims.SIP.Admin {
		_ = twirp.WriteError(w, twirp.NewError(twirp.Unauthenticated, "no administrator of SIP"))
		return
	}
	l.twirp.ServeHTTP(w, r)
}

// ListSIPDispatchRule is LiveKit's.
func (l *LiveKit) ListSIPDispatchRule(context.Context, *livekit.ListSIPDispatchRuleRequest) (*livekit.ListSIPDispatchRuleResponse, error) {
	l.mu.Lock()
	l.lists++
	gate, fault := l.gate, l.fault
	l.mu.Unlock()
	if gate != nil {
		gate()
	}
	if fault != nil {
		return nil, fault
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return &livekit.ListSIPDispatchRuleResponse{Items: slices.Clone(l.rules)}, nil
}

// CreateSIPDispatchRule is LiveKit's.
func (l *LiveKit) CreateSIPDispatchRule(_ context.Context, r *livekit.CreateSIPDispatchRuleRequest) (*livekit.SIPDispatchRuleInfo, error) {
	info := r.DispatchRuleInfo()
	l.AddRule(info)
	return info, nil
}

// DeleteSIPDispatchRule is LiveKit's.
func (l *LiveKit) DeleteSIPDispatchRule(_ context.Context, r *livekit.DeleteSIPDispatchRuleRequest) (*livekit.SIPDispatchRuleInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, info := range l.rules {
		if info.GetSipDispatchRuleId() == r.GetSipDispatchRuleId() {
			l.rules = slices.Delete(l.rules, i, i+1)
			return info, nil
		}
	}
	return nil, twirp.NewError(twirp.NotFound, "no such rule")
}
