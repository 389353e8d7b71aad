package testphone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"passerelle/cmd/internal/guard"
	"passerelle/sip"
	"passerelle/sip/locate"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// errHangup ends a call that we have had enough of.
var errHangup = errors.New("we hung up")

// phone is one call.
type phone struct {
	Config
	began time.Time

	mu     sync.Mutex
	report Report
}

func (p *phone) update(f func(*Report)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.report)
}

func (p *phone) snapshot() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}

func (p *phone) clock() time.Duration { return time.Since(p.began) }

// call opens a line and a SIP server, and dials.
func (p *phone) call(ctx context.Context) error {
	resolver := locate.New(locate.Config{Servers: p.DNS})
	local, err := towards(ctx, p.To, resolver)
	if err != nil {
		return err
	}
	if p.Ports == nil {
		p.Ports = func(local netip.Addr) (*rtp.Ports, error) { return rtp.NewPorts(local, 0, 0) }
	}
	ports, err := p.Ports(local)
	if err != nil {
		return err
	}
	line, err := rtp.Listen(rtp.Config{Ports: ports, Clock: p.clock, Log: p.Log})
	if err != nil {
		return fmt.Errorf("open a phone line: %w", err)
	}
	defer line.Close()
	return p.serve(ctx, local, resolver, func(server *sip.Server) error {
		return p.dial(ctx, server, line, local)
	})
}

// dial offers, waits for the answer, and talks.
func (p *phone) dial(ctx context.Context, server *sip.Server, line *rtp.Line, local netip.Addr) error {
	if a := line.LocalAddr().Addr(); !a.IsUnspecified() {
		local = a
	}
	if a, err := netip.ParseAddr(p.Advertise); err == nil && a.Is4() == local.Is4() {
		local = a
	}
	session := sdp.Session{Local: sdp.Local{
		Origin:  sdp.Origin{ID: rand.Uint64N(1 << 31), Version: 1},
		Address: netip.AddrPortFrom(local, line.LocalAddr().Port()),
		RTCP:    netip.AddrPortFrom(local, line.LocalRTCP().Port()),
		Codecs:  p.Codecs,
		PTime:   ptime,
	}}
	if p.SRTP {
		session.Local.Security.Policy = sdp.Required
	}
	offer, err := session.Offer()
	if err != nil {
		return err
	}
	user, display := p.From, ""
	if user == "" {
		user, display = "passerelle", "Test phone"
	}
	invited := p.clock()
	dialog, answer, err := server.Dial(ctx, sip.Dial{
		To: p.To, From: sip.Address{Display: display, User: user, Host: p.FromHost}, Offer: offer, Keys: p.Keys,
		Provisional: func(code int, _ string, _ []byte) {
			if code == 180 || code == 183 {
				p.update(func(r *Report) { r.State = "ringing" })
				p.watch(line)
			}
		},
	})
	if err != nil {
		return err
	}
	p.update(func(r *Report) { r.Setup = p.clock() - invited })
	media, err := session.ReadAnswer(answer)
	if err == nil {
		err = line.Negotiate(lineParams(media, dialog.Invite().Source.Addr()))
	}
	if err == nil {
		p.update(func(r *Report) { r.State, r.Codec, r.SRTP = "talking", media.Kind.String(), suiteOf(media) })
		err = p.talk(ctx, dialog, line, media)
	}
	p.watch(line)

	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if hangup := dialog.Hangup(closing, ""); hangup != nil && !normal(err) {
		err = errors.Join(err, hangup)
	}
	return err
}

// suiteOf names what encrypts the sound; "" if nothing does.
func suiteOf(m sdp.Media) string {
	if m.Crypto == nil {
		return ""
	}
	return string(m.Crypto.Suite)
}

// talk runs both directions until somebody hangs up or the time is over, and says who.
func (p *phone) talk(ctx context.Context, dialog *sip.Dialog, line *rtp.Line, media sdp.Media) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(dialog.Context(), func() { stop(context.Cause(dialog.Context())) })()
	if p.For > 0 {
		timer := time.AfterFunc(p.For, func() { stop(errHangup) })
		defer timer.Stop()
	}
	ear, err := newEar(p, media.Kind)
	if err != nil {
		return err
	}
	talker, err := newTalker(p, media.Kind, line)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	own := func(name string, run func() error) { group.Go(guard.Root(name, run)) }
	own("line", func() error {
		defer ear.close()
		return line.Run(groupCtx, ear, nil)
	})
	own("ear", ear.run)
	own("talker", func() error { return talker.run(groupCtx) })
	own("watch", func() error { return p.watchAll(groupCtx, line) })
	if p.Digits != "" {
		own("digits", func() error { return line.SendDigits(groupCtx, p.Digits) })
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// watchAll tells the watcher ten times a second how the call goes.
func (p *phone) watchAll(ctx context.Context, line *rtp.Line) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	up := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.update(func(r *Report) { r.Up = time.Since(up) })
			p.watch(line)
		}
	}
}

// watch reads the line's statistics and tells the watcher.
func (p *phone) watch(line *rtp.Line) {
	s := line.Stats()
	p.update(func(r *Report) {
		r.Sent, r.Received, r.Lost = s.PacketsSent, s.PacketsReceived, s.Lost
		r.Jitter, r.RoundTrip, r.LostByPeer = s.Jitter, s.RoundTrip, s.RemoteLoss
	})
	if p.Watch != nil {
		p.Watch(p.snapshot())
	}
}

// normal reports whether a call ended as calls do.
func normal(end error) bool { return errors.Is(end, errHangup) || errors.Is(end, sip.ErrBye) }

func reason(end error) string {
	switch {
	case end == nil:
		return ""
	case errors.Is(end, sip.ErrBye):
		return "the other side hung up"
	}
	return end.Error()
}
