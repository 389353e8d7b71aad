package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"passerelle/sip/rtp"
)

const (
	// soundWithin is how long sound may take to flow both ways, from the answer or a new agreement. Silence is sound here:
	// every phone sends something within that time.
	soundWithin = 4 * time.Second
	// lookAgain is how often a call whose sound goes one way is looked at.
	lookAgain = 2 * time.Second
)

// oneWay is why sound goes one way, in words and addresses.
type oneWay struct {
	Why       string         `json:"why"`
	SDP       netip.AddrPort `json:"sdp"`        // where the phone's SDP says that it is
	ComesFrom netip.AddrPort `json:"comes_from"` // where packets come from; zero if none come
	GoesTo    netip.AddrPort `json:"goes_to"`    // where ours go
}

// diagnose says what is wrong with the sound between two looks at a line; nil if nothing is.
func diagnose(before, now rtp.Stats) *oneWay {
	found := &oneWay{SDP: now.SDP, GoesTo: now.Remote, ComesFrom: now.Elsewhere}
	d, was := now.Drops, before.Drops
	switch deaf := now.Hears && now.PacketsReceived == before.PacketsReceived; {
	case deaf && d.Unauthentic > was.Unauthentic:
		found.ComesFrom = now.Remote
		found.Why = "the phone is not heard: its packets cannot be decrypted"
	case deaf && (d.Foreign > was.Foreign || d.Unlatched > was.Unlatched):
		found.Why = fmt.Sprintf("the phone is not heard: its SDP says %s, and packets come from %s, which is neither that address nor its SIP's", now.SDP, now.Elsewhere)
	case deaf && d.PayloadType > was.PayloadType:
		found.ComesFrom = now.Remote
		found.Why = "the phone is not heard: it sends a payload type that was not agreed on"
	case deaf:
		found.ComesFrom = netip.AddrPort{}
		found.Why = fmt.Sprintf("the phone is not heard: its SDP says %s, and nothing comes, from there or elsewhere; ours goes to %s", now.SDP, now.Remote)
	case now.Sends && now.SendDrops.Errors > before.SendDrops.Errors && now.PacketsReceived > before.PacketsReceived:
		found.ComesFrom = now.Remote
		found.Why = fmt.Sprintf("the phone hears nothing: the network refuses what goes to %s", now.Remote)
	case now.Sends && now.Reports > before.Reports && now.RemoteLoss > 0.98:
		found.ComesFrom = now.Remote
		found.Why = fmt.Sprintf("the phone hears nothing: it reports that nothing of what goes to %s arrives", now.Remote)
	default:
		return nil
	}
	return found
}

// watch looks whether sound flows both ways after every agreement, and names it where it does not, until ctx is done.
func (c *call) watch(ctx context.Context) {
	before, timer := c.line.Stats(), time.NewTimer(soundWithin)
	defer timer.Stop()
	defer c.oneWay.Store(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.renewed:
			before = c.line.Stats()
			timer.Reset(soundWithin)
			continue
		case <-timer.C:
		}
		now := c.line.Stats()
		found, known := diagnose(before, now), c.oneWay.Load()
		before = now
		switch {
		case found == nil && known == nil:
			continue // until the next agreement
		case found == nil:
			c.log.Info("sound goes both ways", "was", known.Why)
		case known == nil || known.Why != found.Why:
			c.log.Warn("one-way audio", "why", found.Why, "sdp", found.SDP, "comes_from", found.ComesFrom, "goes_to", found.GoesTo)
		}
		c.oneWay.Store(found)
		if found != nil {
			timer.Reset(lookAgain)
		}
	}
}

// watched is watch as the root of a goroutine: a panic ends the watch and nothing else.
func (c *call) watched(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("the watch of the sound panicked", "error", errors.New(fmt.Sprint(p)))
		}
	}()
	c.watch(ctx)
}

// watchAgain lets the watch begin anew: something else was agreed on.
func (c *call) watchAgain() {
	select {
	case c.renewed <- struct{}{}:
	default:
	}
}
