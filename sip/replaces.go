package sip

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// Replaces names the dialog that an INVITE is to take the place of (RFC 3891), as whoever is asked to do so sees it.
type Replaces struct {
	CallID    string
	ToTag     string // the tag of whoever is asked
	FromTag   string // the tag of its peer
	EarlyOnly bool   // not where it is answered already
}

// errReplaces is a Replaces header that can not be read: 400.
var errReplaces = errors.New("no Replaces")

// parseReplaces reads a Replaces header (section 6.1): a Call-ID, one tag of each side, and no second dialog.
func parseReplaces(v string) (Replaces, error) {
	fields := strings.Split(v, ";")
	r := Replaces{CallID: strings.TrimSpace(fields[0])}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		value = strings.TrimSpace(value)
		tag := &r.ToTag
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "early-only":
			r.EarlyOnly = true
			continue
		case "to-tag":
		case "from-tag":
			tag = &r.FromTag
		default:
			continue
		}
		if *tag != "" || !isWord(value) {
			return Replaces{}, errReplaces
		}
		*tag = value
	}
	if !isWord(r.CallID) || r.ToTag == "" || r.FromTag == "" {
		return Replaces{}, errReplaces
	}
	return r, nil
}

// isWord reports whether s can be a Call-ID or a tag: nothing in it ends one.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(",;=", r)
	})
}

// String is the value of the header.
func (r Replaces) String() string {
	v := r.CallID + ";to-tag=" + r.ToTag + ";from-tag=" + r.FromTag
	if r.EarlyOnly {
		v += ";early-only"
	}
	return v
}

// replacesOf reads the Replaces header of an INVITE; nil if there is none. Two of them are an error (section 3).
func replacesOf(req *sip.Request) (*Replaces, error) {
	v := headerValues(req, "replaces")
	switch len(v) {
	case 0:
		return nil, nil
	case 1:
		r, err := parseReplaces(v[0])
		return &r, err
	}
	return nil, errReplaces
}

// declined is a refusal of ours with its reason.
type declined struct {
	code int
	text string
}

func (e *declined) Error() string { return e.text }

// SIPStatus is the answer.
func (e *declined) SIPStatus() (code int, reason string) { return e.code, phrase(e.code) }

// Warning says why.
func (e *declined) Warning() (code int, text string) { return 399, e.text }

// Replaced finds the dialog whose place the INVITE is to take, by the rules of RFC 3891 section 3; nil where it is to
// take none. An error carries the answer to the INVITE, and the other dialog stays as it is. Whether the caller may do
// that is not asked here.
func (d *Dialog) Replaced(ctx context.Context) (*Dialog, error) {
	r := d.invite.Replaces
	if r == nil {
		return nil, nil
	}
	old := d.others.find(r.CallID, r.ToTag)
	if old == nil {
		if d.others.past.had(dialogID{r.CallID, r.ToTag}) {
			return nil, errReplacedEnded
		}
		return nil, errNothingToReplace
	}
	if err := old.ask(ctx, func() error { return old.replaceable(*r) }); err != nil {
		if old.ctx.Err() != nil && ctx.Err() == nil {
			err = errReplacedEnded
		}
		return nil, err
	}
	return old, nil
}

// What is wrong with a Replaces.
var (
	errNothingToReplace error = &declined{sip.StatusCallTransactionDoesNotExists, "Replaces names no call of ours"}
	errReplacedEnded    error = &declined{sip.StatusGlobalDecline, "Replaces names a call that has ended"}
	errOnlyEarly        error = &declined{sip.StatusBusyHere, "Replaces names a call that is answered, and wants an early one only"}
)

// replaceable reports whether the dialog may be replaced. It is called on the owner.
func (d *Dialog) replaceable(r Replaces) error {
	switch {
	case d.remoteTag != r.FromTag:
		return errNothingToReplace
	case d.state == confirmed || d.state == answered:
		if r.EarlyOnly {
			return errOnlyEarly
		}
		return nil
	case d.state == proceeding:
		return nil
	case d.state < answered || d.state == calling: // not early by us
		return errNothingToReplace
	}
	return errReplacedEnded
}

// endedDialogs remembers those that are over, for a Replaces that comes too late: two generations of maxEnded.
type endedDialogs struct {
	mu         sync.Mutex
	young, old map[dialogID]struct{}
}

const maxEnded = 1024

func (e *endedDialogs) add(id dialogID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.young == nil || len(e.young) >= maxEnded {
		e.old, e.young = e.young, map[dialogID]struct{}{}
	}
	e.young[id] = struct{}{}
}

func (e *endedDialogs) had(id dialogID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, young := e.young[id]
	_, old := e.old[id]
	return young || old
}
