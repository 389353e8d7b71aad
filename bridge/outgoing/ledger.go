package outgoing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// lapse is how long a place is held for a call of which nothing is heard: longer than a phone rings, and than a minute.
	lapse = 3 * time.Minute
	// storeTime is how long a Store may take.
	storeTime = 2 * time.Second
)

// Ledger lets calls out as far as the rules allow. Its methods may be called from any goroutine.
type Ledger struct {
	store Store
	log   *slog.Logger
}

// NewLedger returns one that counts in a store.
func NewLedger(store Store, log *slog.Logger) *Ledger { return &Ledger{store, log} }

// Begin takes a place for a call, and its first minute, before anything is sent; else it returns a *Refusal. Who has the
// permit calls Answered when the call is, Count when it is talked in, and End in any case. Another try over another trunk is another permit.
func (l *Ledger) Begin(ctx context.Context, rules Rules, c Call) (*Permit, error) {
	if err := rules.Allows(c); err != nil {
		return nil, err
	}
	p := &Permit{ledger: l, rules: rules, trunk: c.Trunk, Longest: rules.longest(c.Trunk)}
	p.claim = Claim{Holder: rand.Text(), Places: p.places(), Minutes: 1, Used: p.minutes()}
	if err := p.take(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Permit is one call that may be made.
type Permit struct {
	// Longest is how long the call may be from its answer; 0 is for ever. Minutes that are used up may end it before.
	Longest time.Duration

	ledger  *Ledger
	rules   Rules // those that it began with
	trunk   string
	claim   Claim // what was taken last
	counted atomic.Bool
}

// places are the shares of which the call takes a place; minutes those of minutes, which calls to phones of ours cost none
// of.
func (p *Permit) places() []Share {
	shares := []Share{{placesOf(""), p.rules.Limits.AtOnce}}
	if p.trunk != "" {
		shares = append(shares, Share{placesOf(p.trunk), p.rules.of(p.trunk).AtOnce})
	}
	return shares
}

func (p *Permit) minutes() []Share {
	if p.trunk == "" {
		return nil
	}
	return []Share{{minutesOf(""), p.rules.Limits.MinutesDay}, {minutesOf(p.trunk), p.rules.of(p.trunk).MinutesDay}}
}

// take takes what the claim asks for, now.
func (p *Permit) take(ctx context.Context) error {
	now := time.Now()
	p.claim.Until, p.claim.Day = now.Add(lapse), p.rules.day(now)
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	full, err := p.ledger.store.Take(ctx, p.claim)
	if err != nil {
		return &Refusal{Reason: Unsure, Why: "how many calls there are is not known: " + err.Error(), Key: "state"}
	}
	if full == "" {
		return nil
	}
	return p.refusal(full)
}

// refusal says whose bound is in the way.
func (p *Permit) refusal(full string) *Refusal {
	own, all := p.rules.of(p.trunk), p.rules.Limits
	switch full {
	case placesOf(""):
		return &Refusal{Reason: Busy, Why: calls(all.AtOnce), Key: keyOf("", "at_once")}
	case placesOf(p.trunk):
		return &Refusal{Reason: Busy, Why: calls(own.AtOnce) + " over trunk " + p.trunk, Key: keyOf(p.trunk, "at_once"), Trunk: true}
	case minutesOf(""):
		return &Refusal{Reason: Spent, Why: fmt.Sprintf("the %d minutes of today are used up", all.MinutesDay), Key: keyOf("", "minutes_a_day")}
	}
	return &Refusal{
		Reason: Spent, Why: fmt.Sprintf("the %d minutes of trunk %s of today are used up", own.MinutesDay, p.trunk),
		Key: keyOf(p.trunk, "minutes_a_day"), Trunk: true,
	}
}

func calls(n int) string {
	if n == 1 {
		return "there is a call out already"
	}
	return fmt.Sprintf("there are %d calls out already", n)
}

// keyOf is where a limit stands in the configuration.
func keyOf(trunk, limit string) string {
	if trunk == "" {
		return "outgoing.limits." + limit
	}
	return "trunks[" + trunk + "].limits.outgoing." + limit
}

// Answered says that somebody has answered: the first minute is used, also where nobody comes to talk.
func (p *Permit) Answered() { p.counted.Store(true) }

// Count counts the minutes of a call from its answer, which is now, until ctx is done, and returns nil then; or before,
// why the call has to end. A minute that has begun is one. Where the Store cannot be asked a call that is up goes on, and
// its minutes are counted as soon as it can.
func (p *Permit) Count(ctx context.Context) error {
	p.Answered()
	answered := time.Now()
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	var over <-chan time.Time
	if p.Longest > 0 {
		end := time.NewTimer(p.Longest)
		defer end.Stop()
		over = end.C
	}
	p.claim.Minutes = 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return p.tooLong()
		case <-minute.C:
		}
		if p.Longest > 0 && time.Since(answered) >= p.Longest {
			return p.tooLong()
		}
		p.claim.Minutes++
		err := p.take(ctx)
		var refused *Refusal
		if errors.As(err, &refused) && refused.Reason != Unsure {
			return err
		}
		if err != nil {
			p.ledger.log.Warn("a minute of a call out is not counted yet", "trunk", p.trunk, "error", err)
			continue
		}
		p.claim.Minutes = 0
	}
}

func (p *Permit) tooLong() *Refusal {
	trunk := ""
	if own := p.rules.of(p.trunk).Longest; own == p.Longest {
		trunk = p.trunk
	}
	return &Refusal{Reason: TooLong, Why: fmt.Sprintf("the call has lasted %s, the longest that one may", p.Longest), Key: keyOf(trunk, "minutes_a_call")}
}

// End gives the call's place back, and the minute of one that nobody has answered. It is called once, when Count has
// returned if it was called.
func (p *Permit) End(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if p.counted.Load() {
		p.claim.Minutes = 0
	}
	if err := p.ledger.store.Give(ctx, p.claim); err != nil {
		p.ledger.log.Warn("the place of a call out is held until it lapses", "trunk", p.trunk, "error", err)
	}
}
