package bridge

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"passerelle/config"
	"passerelle/sip"
)

// Stats is what the gateway is doing, at one instant, and has done. Counts only grow.
type Stats struct {
	Calls      int    `json:"calls"` // being set up or up
	Rooms      int    `json:"rooms"` // with a phone in them
	PortsInUse int    `json:"ports_in_use"`
	Answered   uint64 `json:"answered"`
	Encrypted  uint64 `json:"encrypted"` // of Answered: with SRTP
	Exposed    uint64 `json:"exposed"`   // of Encrypted: whose keys or fingerprints came over SIP in clear, so that it is not confidential
	Refused    uint64 `json:"refused"`
	OneWay     int    `json:"one_way"` // of Calls: whose sound goes one way
	Media      Media  `json:"media"`
}

// Media sums what the lines of all calls have seen, those that are over included.
type Media struct {
	Received uint64 `json:"received"` // RTP packets from the phones
	Lost     uint64 `json:"lost"`     // never arrived
	Dropped  uint64 `json:"dropped"`  // arrived in time and went no further
	Up       uint64 `json:"up"`       // packets handed to seats
	Down     uint64 `json:"down"`     // packets written to phones
	Failed   uint64 `json:"failed"`   // packets that a seat or the network refused
	// Ring counts what a phone said and its neighbours could not be given in time.
	Ring uint64 `json:"ring"`
}

func (m *Media) add(n Media) {
	m.Received += n.Received
	m.Lost += n.Lost
	m.Dropped += n.Dropped
	m.Up += n.Up
	m.Down += n.Down
	m.Failed += n.Failed
	m.Ring += n.Ring
}

// Stats counts.
func (g *Gateway) Stats() Stats {
	g.mu.Lock()
	calls, media := slices.Collect(maps.Keys(g.calls)), g.past
	g.mu.Unlock()
	s := Stats{
		Calls: len(calls), Rooms: g.open.count(), PortsInUse: g.portsInUse(),
		Encrypted: g.secure.Load(), Exposed: g.exposed.Load(),
		Answered: g.answered.Load(), Refused: g.refused.Load(), Media: media,
	}
	for _, c := range calls {
		s.Media.add(c.totals())
		if c.oneWay.Load() != nil {
			s.OneWay++
		}
	}
	return s
}

// portsInUse counts the pairs of ports of all networks that are held.
func (g *Gateway) portsInUse() int {
	n := 0
	for _, network := range g.Networks {
		n += network.Ports.InUse()
	}
	return n
}

// CallState is what is known of a call that is up, or on its way there. Numbers in it are masked.
type CallState struct {
	ID    string        `json:"id"` // Call-ID
	From  string        `json:"from"`
	To    string        `json:"to"`
	Trunk string        `json:"trunk"`
	Lasts time.Duration `json:"lasts"` // since its INVITE, in nanoseconds
	// Identity says that the INVITE came with an Identity header (RFC 8224). Nobody has verified it.
	Identity bool    `json:"identity_not_verified,omitempty"`
	OneWay   *oneWay `json:"one_way,omitempty"` // why its sound goes one way, if it does
	Trace    Trace   `json:"trace"`
}

// Calls lists the calls, the longest first.
func (g *Gateway) Calls() []CallState {
	g.mu.Lock()
	var all []CallState
	for c := range g.calls {
		all = append(all, CallState{
			ID: c.invite.CallID, From: masked(c.invite.From.User), To: c.place, Trunk: c.to.trunk.Name,
			Lasts: g.Clock() - c.began, Identity: c.identified(), OneWay: c.oneWay.Load(), Trace: c.to.trace,
		})
	}
	g.mu.Unlock()
	slices.SortFunc(all, func(a, b CallState) int { return int(b.Lasts - a.Lasts) })
	return all
}

// HangUp ends the call of that ID, and reports whether there is one.
func (g *Gateway) HangUp(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, cancel := range g.calls {
		if c.invite.CallID == id {
			cancel(errEnded)
			return true
		}
	}
	return false
}

// totals is what this call's line and phone have seen so far. It may be called from any goroutine.
func (c *call) totals() Media {
	sound := c.sound.Load()
	if sound == nil {
		return Media{}
	}
	line, phone := sound.line.Stats(), sound.phone.Stats()
	d := line.Drops
	return Media{
		Received: line.PacketsReceived, Lost: line.Lost,
		Dropped: d.Malformed + d.PayloadType + d.Sequence + phone.Malformed,
		Up:      phone.Sent, Down: line.PacketsSent,
		Failed: phone.UpErrors + phone.DownErrors,
		Ring:   phone.Ring.Dropped,
	}
}

// logStart tells that a call is up.
func (c *call) logStart() {
	c.renewing.Lock()
	media := c.media
	c.renewing.Unlock()
	c.gateway.answered.Add(1)
	suite, confidential := "none", false
	if media.Crypto != nil || media.DTLS != nil {
		suite, confidential = "DTLS", config.Encrypted(c.invite.Transport)
		if media.Crypto != nil {
			suite = string(media.Crypto.Suite)
		}
		c.gateway.secure.Add(1)
		if !confidential {
			c.gateway.exposed.Add(1)
		}
	}
	args := []any{
		"from", masked(c.invite.From.User), "to", c.to.String(), "trunk", c.to.trunk.Name,
		"codec", media.Kind.String(), "ptime", media.PTime, "transport", c.invite.Transport,
		"srtp", suite, "confidential", confidential,
		"phone", c.invite.Source, "media", media.Remote, "refused", media.Refused,
		"setup", (c.answered - c.began).Round(time.Microsecond), "trace", c.to.trace.String(),
	}
	if diverted := identify(c.invite, c.to.trunk).diverted; diverted != "" {
		args = append(args, "diverted", masked(diverted))
	}
	if c.identified() {
		args = append(args, "identity", "not verified")
	}
	c.log.Info("call answered", args...)
}

// logEnd tells why a call has ended, or was never up, and how it sounded.
func (c *call) logEnd(ctx context.Context, why error) {
	if c.answered == 0 {
		if errors.Is(why, sip.ErrCancelled) || errors.Is(why, sip.ErrBye) || errors.Is(why, sip.ErrUnreachable) {
			c.log.Info("call given up before the answer", "from", masked(c.invite.From.User))
			return
		}
		c.gateway.refused.Add(1)
		c.gateway.Knocks.refused(c, refusalOf(why).Code, why)
		level := slog.LevelInfo
		if refusalOf(why).Code == 500 {
			level = slog.LevelError // nobody else's fault
		}
		c.log.Log(ctx, level, "call refused", "from", masked(c.invite.From.User), "to", c.called(),
			"source", c.invite.Source, "code", refusalOf(why).Code, "reason", why, "trace", c.to.trace.String())
		return
	}
	level := slog.LevelInfo
	if !endingOf(why).expected {
		level = slog.LevelWarn
	}
	s := c.sound.Load().line.Stats()
	c.log.Log(ctx, level, "call ended",
		"reason", why, "to", c.to.String(), "duration", (c.gateway.Clock() - c.answered).Round(time.Millisecond),
		"received", s.PacketsReceived, "sent", s.PacketsSent, "lost", s.Lost,
		"jitter", s.Jitter.Round(time.Microsecond), "round_trip", s.RoundTrip.Round(time.Microsecond))
}

// called is what was dialled, for the log: masked, and not at all where it may be a PIN.
func (c *call) called() string {
	if c.to.menu != nil {
		return c.to.String()
	}
	return c.to.trace.Called
}

// identified reports whether the INVITE came with an Identity header (RFC 8224): who calls was signed by somebody.
func (c *call) identified() bool { return len(c.invite.Header("Identity")) > 0 }
