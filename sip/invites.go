package sip

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// invites are the INVITEs in progress, as the guard saw them arrive. They are how a CANCEL finds its INVITE
// (RFC 3261 section 9.2), how a forged one is told apart, and how a merged INVITE is recognised (section
// 8.2.2.2). Those that a transaction has taken stay until it is done; the others are forgotten in two
// generations of at most untaken entries.
type invites struct {
	mu         sync.Mutex
	young, old map[string]*inviteInProgress // by transactionKey; not taken yet
	taken      map[string]*inviteInProgress // by transactionKey
	requests   map[requestID]*inviteInProgress
}

const untakenInvites = 4096

// requestID is what makes a request one and the same, whichever way it came (section 8.2.2.2).
type requestID struct {
	callID, fromTag string
	cseq            uint32
}

// inviteInProgress is one INVITE. Only cancelled, reason and onCancel change, under the lock of invites.
type inviteInProgress struct {
	key    string
	id     requestID
	source netip.Addr
	tag    string // the To tag of all our answers to it

	cancelled bool
	reason    string              // of the CANCEL
	onCancel  func(reason string) // must not block
}

func newInvites() *invites {
	return &invites{
		young:    map[string]*inviteInProgress{},
		taken:    map[string]*inviteInProgress{},
		requests: map[requestID]*inviteInProgress{},
	}
}

// arrived notes an INVITE, before sipgo gets it. One that is there already stays as it is: it came again.
func (v *invites) arrived(req *sip.Request, src netip.Addr) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := transactionKey(req)
	if v.taken[key] != nil || v.young[key] != nil || v.old[key] != nil {
		return
	}
	v.note(key, req, src)
}

// has reports whether an INVITE is in progress, or on its way: it came again.
func (v *invites) has(req *sip.Request) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := transactionKey(req)
	return v.taken[key] != nil || v.young[key] != nil || v.old[key] != nil
}

func (v *invites) note(key string, req *sip.Request, src netip.Addr) *inviteInProgress {
	i := &inviteInProgress{key: key, id: idOf(req), source: src, tag: tagOf(req.To().Params)}
	if i.tag == "" {
		i.tag = newTag()
	}
	if len(v.young) >= untakenInvites {
		v.old, v.young = v.young, make(map[string]*inviteInProgress, untakenInvites)
	}
	v.young[key] = i
	return i
}

// take returns the INVITE of a transaction that begins. merged is true where the same INVITE is in progress
// already, having come another way; done must be called in either case.
func (v *invites) take(req *sip.Request, src netip.Addr) (i *inviteInProgress, merged bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := transactionKey(req)
	if i = v.young[key]; i == nil {
		i = v.old[key]
	}
	if i == nil { // forgotten in a flood
		i = v.note(key, req, src)
	}
	delete(v.young, key)
	delete(v.old, key)
	v.taken[key] = i
	if v.requests[i.id] != nil {
		return i, true
	}
	v.requests[i.id] = i
	return i, false
}

// done forgets an INVITE whose transaction is.
func (v *invites) done(i *inviteInProgress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.taken, i.key)
	if v.requests[i.id] == i {
		delete(v.requests, i.id)
	}
}

// watch sets who is told of a CANCEL, and tells at once if there was one. f must not block.
func (v *invites) watch(i *inviteInProgress, f func(reason string)) {
	v.mu.Lock()
	i.onCancel = f
	cancelled, reason := i.cancelled, i.reason
	v.mu.Unlock()
	if cancelled {
		f(reason)
	}
}

// cancelResult is what became of a CANCEL.
type cancelResult uint8

const (
	cancelUnknown cancelResult = iota // no INVITE has its Via: 481
	cancelForged                      // the INVITE with its Via is another one: silence
	cancelTaken                       // 200, and the dialog knows
)

// cancel finds the INVITE that a CANCEL is for and tells its dialog. tag is the To tag of the answer.
func (v *invites) cancel(req *sip.Request, src netip.Addr) (result cancelResult, tag string) {
	v.mu.Lock()
	key := transactionKey(req)
	i := v.taken[key]
	if i == nil {
		i = v.young[key]
	}
	if i == nil {
		i = v.old[key]
	}
	if i == nil {
		v.mu.Unlock()
		return cancelUnknown, ""
	}
	if i.id != idOf(req) || i.source != src {
		v.mu.Unlock()
		return cancelForged, ""
	}
	tell := i.onCancel
	if i.cancelled {
		tell = nil // once is enough
	} else {
		i.reason = reasonText(headerValues(req, "reason"))
	}
	i.cancelled = true
	reason := i.reason
	v.mu.Unlock()
	if tell != nil {
		tell(reason)
	}
	return cancelTaken, i.tag
}

// transactionKey returns what a CANCEL shares with its INVITE (sections 9.2 and 17.2.3): the top Via's
// branch and sent-by, or for the branch of an RFC 2543 peer the whole Via and the ids.
func transactionKey(req *sip.Request) string {
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	if len(branch) > len(sip.RFC3261BranchMagicCookie) && strings.HasPrefix(branch, sip.RFC3261BranchMagicCookie) {
		port := via.Port
		if port <= 0 {
			port = sip.DefaultPort(via.Transport)
		}
		return branch + " " + via.Host + " " + strconv.Itoa(port)
	}
	id := idOf(req)
	return strings.Join([]string{id.callID, id.fromTag, strconv.FormatUint(uint64(id.cseq), 10), via.Value()}, " ")
}

func idOf(req *sip.Request) requestID {
	return requestID{callID: string(*req.CallID()), fromTag: tagOf(req.From().Params), cseq: req.CSeq().SeqNo}
}

func tagOf(p sip.HeaderParams) string {
	tag, _ := p.Get("tag")
	return tag
}
