package sip

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// The session timer (RFC 4028): a call whose other end is gone is noticed, on hold too, where no sound tells. One
// side, the refresher, repeats itself within the session interval; the other hangs up where it does not. Where
// the peer does not say who, or knows no session timer at all, it is we who refresh. Everything in this file is
// called on the dialog's owner, but for readSession and tooShort.

const (
	// minSession is the shortest session interval that we take (section 4: no less than 90 s).
	minSession = 90 * time.Second
	// ourSession is the interval where the peer asks for none (section 4 recommends it).
	ourSession = 1800 * time.Second
	// maxSession bounds what a peer may ask for; no peer means more than that.
	maxSession = 24 * time.Hour
	// refreshAgain is when a refresh that the peer did not take is tried again.
	refreshAgain = 10 * time.Second
)

// session is what is agreed on the session timer, and its clock.
type session struct {
	interval time.Duration // 0: none runs
	least    time.Duration // the Min-SE that the peer's side wants
	ours     bool          // we refresh
	shared   bool          // the peer knows the interval too, and ends the call after it
	expires  time.Time     // when the peer will have forgotten the session
	timer    *time.Timer
}

// askedSession is what a message says about the session timer.
type askedSession struct {
	interval  time.Duration // Session-Expires; 0 if there is none
	refresher string        // "uac", "uas", or "" where it is not said
	least     time.Duration // Min-SE; 0 if there is none
	supported bool          // by the sender: "timer"
}

// readSession reads it. What makes no sense is not there.
func readSession(m received) askedSession {
	a := askedSession{supported: hasTag(optionTags(m, "supported"), "timer") || hasTag(optionTags(m, "require"), "timer")}
	if v := headerValues(m, "session-expires"); len(v) > 0 {
		interval, params, _ := strings.Cut(v[0], ";")
		a.interval = seconds(interval)
		for p := range strings.SplitSeq(params, ";") {
			name, value, _ := strings.Cut(p, "=")
			value = strings.ToLower(strings.TrimSpace(value))
			if strings.EqualFold(strings.TrimSpace(name), "refresher") && (value == "uac" || value == "uas") {
				a.refresher = value
			}
		}
	}
	if v := headerValues(m, "min-se"); len(v) > 0 {
		least, _, _ := strings.Cut(v[0], ";")
		a.least = seconds(least)
	}
	return a
}

// seconds reads delta-seconds; 0 if it is none.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxSession)
}

func hasTag(tags []string, tag string) bool {
	for _, t := range tags {
		if strings.EqualFold(t, tag) {
			return true
		}
	}
	return false
}

// tooShort reports whether a request asks for a shorter session interval than we take: 422. A peer that does not
// know the timer has not asked, but a proxy on its way, and would not understand (section 9).
func tooShort(req *sip.Request) bool {
	a := readSession(req)
	return a.supported && a.interval > 0 && a.interval < minSession
}

// minSE says what we take.
func minSE() sip.Header { return sip.NewHeader("Min-SE", wholeSeconds(minSession)) }

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// keep agrees on the session timer as the one who answers an INVITE or UPDATE with 2xx (section 9), winds it up,
// and returns what the answer says about it.
func (d *Dialog) keep(req *sip.Request) []sip.Header {
	a := readSession(req)
	d.learnAllow(req)
	s := &d.session
	was := *s
	switch {
	case a.interval > 0:
		s.interval = max(a.interval, minSession)
	case s.interval == 0:
		s.interval = ourSession
	}
	s.least = max(minSession, a.least)
	s.interval = max(s.interval, s.least)
	s.shared = a.supported
	s.ours = !a.supported || a.refresher == "uas" ||
		a.refresher == "" && (was.interval == 0 || was.ours) // roles stay as they are
	d.wind()
	if !a.supported {
		return nil
	}
	if s.ours {
		return []sip.Header{sip.NewHeader("Session-Expires", wholeSeconds(s.interval)+";refresher=uas")}
	}
	return []sip.Header{
		sip.NewHeader("Session-Expires", wholeSeconds(s.interval)+";refresher=uac"), sip.NewHeader("Require", "timer"),
	}
}

// kept agrees on it as the one who asked, by the peer's 2xx (section 7.2).
func (d *Dialog) kept(res *sip.Response) {
	a := readSession(res)
	d.learnAllow(res)
	s := &d.session
	s.least = max(s.least, minSession)
	s.shared, s.ours = a.interval > 0, a.refresher != "uas"
	if s.shared {
		s.interval = a.interval
	}
	s.interval = or(s.interval, ourSession)
	d.wind()
}

// wind starts the clock anew: half of the interval until we refresh; until the peer should have, the interval but a
// third of it, or 32 s where that is less (section 10).
func (d *Dialog) wind() {
	s := &d.session
	s.expires = time.Now().Add(s.interval)
	if s.ours {
		d.refreshIn(s.interval / 2)
		return
	}
	d.afterwards(s.interval-margin(s.interval), func() { d.unkept() })
}

// margin is how long before the end of the session the one who waits for a refresh hangs up.
func margin(interval time.Duration) time.Duration { return min(32*time.Second, interval/3) }

func (d *Dialog) refreshIn(wait time.Duration) {
	d.afterwards(wait, func() { _ = d.step(refreshTurn, occasion{}) })
}

// afterwards has the owner do something after a while; it replaces what it was to do.
func (d *Dialog) afterwards(wait time.Duration, f func()) {
	d.stopSession()
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		d.post(func() {
			if d.session.timer == t {
				f()
			}
		})
	})
	d.session.timer = t
}

func (d *Dialog) stopSession() {
	if d.session.timer != nil {
		d.session.timer.Stop()
		d.session.timer = nil
	}
}

// unkept ends a call that nobody refreshed.
func (d *Dialog) unkept() {
	_ = d.step(sessionExpired, occasion{cause: ErrExpired, reason: Reason{"SIP", sip.StatusRequestTimeout, ErrExpired.Error()}})
}

// learnAllow notes whether the peer takes UPDATE, where it says what it takes.
func (d *Dialog) learnAllow(m received) {
	if allow := optionTags(m, "allow"); len(allow) > 0 {
		d.updates = hasTag(allow, string(sip.UPDATE))
	}
}
