package trunk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"passerelle/sip"
	"passerelle/sip/contact"
)

const (
	// firstWait is how long is waited after all servers have failed, doubled each time up to lastWait. Half of it at
	// least, all of it at most (RFC 5626 section 4.5).
	firstWait = 4 * time.Second
	lastWait  = 5 * time.Minute
	// refusedWait is for a trunk that does not want us: a password that is wrong stays wrong, and whoever tries it too
	// often is locked out.
	refusedWait = 10 * time.Minute
	// maxRetryAfter bounds what a server may ask for.
	maxRetryAfter = time.Hour
	// farewell is how long taking the registration back may take.
	farewell = 2 * time.Second
)

func newCallID() string { return strings.ToLower(rand.Text()) }

// failure is a registration that did not come about.
type failure struct {
	reason  string
	refused bool          // by a server that is there
	after   time.Duration // not to be tried again before; 0: it does not say
}

func (f *failure) Error() string { return f.reason }

// stayRegistered registers, and refreshes, until ctx is done.
func (t *Trunk) stayRegistered(ctx context.Context) {
	wait := firstWait
	for {
		var granted time.Duration
		var err error
		t.guarded(func() { err = errors.New("panic"); granted, err = t.registerSomewhere(ctx) })
		if ctx.Err() != nil {
			return
		}
		pause := between(granted, 0.75, 0.9)
		if err != nil {
			pause = t.pauseAfter(err, wait)
			wait = min(2*wait, lastWait)
		} else {
			wait = firstWait
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// pauseAfter is how long to wait after all servers have failed.
func (t *Trunk) pauseAfter(err error, wait time.Duration) time.Duration {
	var f *failure
	if errors.As(err, &f) {
		switch {
		case f.after > 0:
			return min(f.after, maxRetryAfter) + between(time.Second, 0, 1)
		case f.refused:
			return between(refusedWait, 0.9, 1.1)
		}
	}
	return between(wait, 0.5, 1)
}

// registerSomewhere tries one server after the other, and returns how long the registration holds.
func (t *Trunk) registerSomewhere(ctx context.Context) (time.Duration, error) {
	var last error
	for _, uri := range t.order() {
		granted, err := t.registerAt(ctx, uri)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err == nil {
			t.registered(uri, granted)
			return granted, nil
		}
		last = err
		t.log.Debug("not registered", "server", uri, "reason", err)
	}
	t.unregistered(last)
	return 0, last
}

// registerAt registers with one server (RFC 3261 section 10.2).
func (t *Trunk) registerAt(ctx context.Context, uri string) (time.Duration, error) {
	for again := false; ; again = true {
		if err := t.still(ctx); err != nil {
			return 0, err
		}
		reply, err := t.ask(ctx, uri, t.asked)
		if err != nil {
			return 0, &failure{reason: err.Error()}
		}
		t.answered(reply.Source.Addr())
		least := interval(reply.Header("Min-Expires"))
		switch {
		case reply.Code == 200:
			t.replace(ctx, uri, reply)
			return granted(reply, t.asked), nil
		case reply.Code == 423 && least > t.asked && !again:
			t.asked = min(least, 24*time.Hour)
			continue
		}
		return 0, &failure{
			reason:  fmt.Sprintf("%d %s", reply.Code, reply.Reason),
			refused: reply.Code >= 400 && reply.Code < 500 && reply.Code != 408 && reply.Code != 480 || reply.Code >= 600,
			after:   interval(reply.Header("Retry-After")),
		}
	}
}

// withoutUser is the URI of a registrar: it has no user part (section 10.2).
func withoutUser(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + ":" + rest
}

// granted is how long a registration holds: as our contact says, or the header, or as it was asked for.
func granted(reply sip.Reply, asked time.Duration) time.Duration {
	life := asked
	if v := interval(reply.Header("Expires")); v > 0 {
		life = v
	}
	ours, err := contact.Key(reply.Contact)
	if all, listErr := contact.Parse(reply.Header("Contact")...); err == nil && listErr == nil {
		for _, a := range all {
			theirs, err := contact.Key(a.URI)
			if v, has := a.Expires(); err == nil && has && v > 0 && (theirs == ours || len(all) == 1) {
				life = v
			}
		}
	}
	return min(max(life, 10*time.Second), 24*time.Hour)
}

// interval reads delta-seconds at the beginning of a header; 0 if there are none.
func interval(values []string) time.Duration {
	if len(values) == 0 {
		return 0
	}
	text, _, _ := strings.Cut(values[0], ";")
	text, _, _ = strings.Cut(text, "(")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// registered notes that we are, and says so where it is news.
func (t *Trunk) registered(uri string, granted time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.register.up || t.register.at != uri {
		t.log.Info("registered with the trunk", "server", uri, "for", granted)
		t.register.since = now
	}
	t.register = state{up: true, known: true, since: t.register.since, at: uri, until: now.Add(granted)}
}

// unregistered notes that no server takes us. What was granted before holds until its time is over, but nobody should
// rely on it.
func (t *Trunk) unregistered(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	reason := err.Error()
	if t.register.up || !t.register.known || t.register.reason != reason {
		t.log.Warn("not registered with the trunk", "reason", reason)
		t.register.since = time.Now()
	}
	t.register = state{known: true, since: t.register.since, reason: reason}
}

// leave takes the registration back, where there is one.
func (t *Trunk) leave(ctx context.Context) {
	t.mu.Lock()
	at, up := t.register.at, t.register.up
	t.register = state{known: true, reason: "taken back"}
	t.mu.Unlock()
	if !up {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell) // it is done
	defer cancel()
	if _, err := t.ask(ctx, at, 0); err != nil {
		t.log.Info("the registration was not taken back", "error", err)
	}
}
