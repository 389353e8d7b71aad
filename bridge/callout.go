package bridge

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"

	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
)

// A call out: somebody in a room has a telephone called, who is seated there when answering (docs/calling-out.md). Its seat is
// there from the beginning, and a herald in it.

// CallOut is whom to call, into which room.
type CallOut struct {
	Engine string // "": the only one
	Room   string
	Number string // as it is dialled, or the user of a phone that registers
	Trunk  string // over which; "": those of outgoing.via, in their order
	By     string // who asks for it: "moderators" or "api"
}

// State says how far a call out has come.
type State string

// The states of a call out, in their order.
const (
	Calling  State = "calling" // over a trunk, or to a phone; again where the first leads nowhere
	Ringing  State = "ringing"
	Answered State = "answered" // and asked to press a key, where that is configured
	Joined   State = "joined"   // it is in the room
	Ended    State = "ended"    // it was there, and is no more
	Failed   State = "failed"   // it never was
)

// Progress is how a call out goes. Numbers in it are masked.
type Progress struct {
	State  State  `json:"state"`
	To     string `json:"to"`
	Trunk  string `json:"trunk,omitempty"`  // "" for a phone of ours
	Why    string `json:"why,omitempty"`    // in plain words, of Ended and Failed
	Code   int    `json:"code,omitempty"`   // the SIP status behind it; 0 if there is none
	Reason string `json:"reason,omitempty"` // of the other end, as it was said: "Q.850 17 user busy"
	// Setting is the key of the configuration that does not let the call out; "" if that is not why it failed.
	Setting string `json:"setting,omitempty"`
}

// CallOut calls somebody into a room, and returns when the call is over: with nil where it had come to the room, else a
// *CallFailed. It tells progress what happens, Failed and Ended last; from one goroutine at a time, which waits. Hanging up
// is the end of ctx.
func (g *Gateway) CallOut(ctx context.Context, o CallOut, progress func(Progress)) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &callOut{gateway: g, live: g.Live(), asked: o, progress: progress, cancel: cancel}
	c.log = g.Log.With("calls", masked(o.Number), "room", masked(o.Room), "by", o.By)
	done, err := g.begin()
	if err == nil {
		defer done()
		err = c.run(ctx)
	}
	return c.over(because(ctx, err))
}

// callOut is one call out.
type callOut struct {
	gateway  *Gateway
	live     *config.Live
	asked    CallOut
	progress func(Progress)
	cancel   context.CancelCauseFunc
	log      *slog.Logger

	to       destination   // the room
	phone    *config.Phone // who is called, if it is a phone that registers
	language string        // of the room
	called   outgoing.Destination
	herald   *herald
	joined   bool
	end      Progress // once it is told

	mu    sync.Mutex
	trunk string // over which it goes now
}

// run takes the call from the wish to its end.
func (c *callOut) run(ctx context.Context) error {
	// 1. A seat in the room for who is called, and a herald in it.
	if err := c.address(); err != nil {
		return err
	}
	var err error
	if c.herald, err = c.gateway.sendHerald(ctx, c.to, c.who(), c.cancel); err != nil {
		return err
	}
	defer c.herald.leave()

	// 2. Ring.
	leg, err := c.ring(ctx)
	if err != nil {
		err = because(ctx, err)
		c.regret(ctx, err)
		return err
	}

	// 3. Talk.
	err = leg.lives(ctx, c.cancel, func(ctx context.Context) error { return c.settle(ctx, leg) })
	if !c.joined {
		c.herald.reclaim(leg)
		c.regret(ctx, err)
	}
	return err
}

// address finds the room.
func (c *callOut) address() error {
	engine := c.asked.Engine
	if engine == "" && len(c.gateway.Rooms) == 1 {
		for name := range c.gateway.Rooms {
			engine = name
		}
	}
	if _, ok := c.gateway.Rooms[engine]; !ok || c.asked.Room == "" {
		return refuse(404, "there is no such room")
	}
	c.to = destination{engine: engine, room: c.asked.Room, trunk: &config.Trunk{}}
	c.language = language(c.live, c.to)
	return nil
}

// who is how the room sees who is called, from the beginning.
func (c *callOut) who() rooms.Participant {
	display, number, trunk := "", c.asked.Number, phones
	if c.asked.Trunk == "" {
		c.phone = phoneOf(c.live, number)
	}
	if c.phone != nil {
		display = c.phone.Name
	} else if trunks := c.trunks(); len(trunks) > 0 {
		c.called = outgoing.Read(planOf(c.live, trunks[0]), number)
		number, trunk = c.called.Number.Text(), trunks[0].Name
	}
	who := participant(sip.Invite{CallID: rand.Text(), From: sip.Address{Display: display}}, &config.Trunk{Name: trunk}, number)
	who.Calling = true
	return who
}

// devices finds who is to be rung: a phone that registers, else a number over trunks.
func (c *callOut) devices() (devices [][]target, err error) {
	if c.phone == nil {
		ways, err := c.overTrunks()
		return [][]target{ways}, err
	}
	devices, err = c.gateway.devicesOf(c.phone, sip.Address{Display: "Passerelle", User: "passerelle"})
	permit := c.gateway.permit(c.live, outgoing.Call{By: outgoing.Who(c.asked.By), To: outgoing.Phone(c.phone.User)})
	for _, ways := range devices {
		for i := range ways {
			ways[i].permit = permit
		}
	}
	return devices, err
}

// trunks are those that the call may go out over, in the order of trying.
func (c *callOut) trunks() (trunks []*config.Trunk) {
	if c.live.Outgoing == nil {
		return nil
	}
	for _, name := range c.live.Outgoing.Via {
		if t := trunkNamed(c.live, name); t != nil && (c.asked.Trunk == "" || c.asked.Trunk == name) {
			trunks = append(trunks, t)
		}
	}
	return trunks
}

// overTrunks are the ways over them.
func (c *callOut) overTrunks() (ways []target, err error) {
	for _, trunk := range c.trunks() {
		var us sip.Address
		if trunk.Register != nil {
			us.User = trunk.Register.User
		}
		from := present(trunk, planOf(c.live, trunk), us, false)
		ways = append(ways, c.gateway.over(c.live, trunk, c.asked.Number, outgoing.Who(c.asked.By), from)...)
	}
	if len(ways) == 0 {
		return nil, &outgoing.Refusal{Reason: outgoing.Denied, Why: "over no such trunk anything may be called out", Key: "outgoing.via"}
	}
	return ways, nil
}

// ring rings whom it is for, and returns the leg that was answered. It is heard in the room.
func (c *callOut) ring(ctx context.Context) (*call, error) {
	devices, err := c.devices()
	if err != nil {
		return nil, err
	}
	h := hunt{
		gateway: c.gateway, devices: devices, cancel: c.cancel,
		leg: func(t target) *call {
			leg := c.gateway.newLeg(c.live, t)
			leg.to.engine, leg.to.room, leg.language = c.to.engine, c.to.room, cmp.Or(t.trunk.Language, c.language)
			return leg
		},
		to: audience{
			calls: func(t target) {
				c.tell(Progress{State: Calling, Trunk: either(t.phone == nil, t.trunk.Name, "")})
			},
			rings: func(_ *call, code int, _ string) {
				if code == ringsThere {
					c.herald.ring(c.tone())
					c.tell(Progress{State: Ringing})
				}
			},
			sounds: func(leg *call) {
				c.tell(Progress{State: Ringing})
				leg.hears(c.cancel)
				c.herald.lend(leg)
			},
			gone: func(leg *call) {
				c.herald.reclaim(leg)
				leg.deafen()
			},
		},
	}
	return h.run(ctx)
}

// tone is what is heard in the room meanwhile: the tone of the country that is called, else of that which speaks the room's
// language.
func (c *callOut) tone() []int16 {
	return ivr.Ringback(cmp.Or(c.called.Region, strings.ToUpper(c.language)), c.gateway.Engine.MixRate())
}

// settle brings the leg that was answered to its seat, where it wants to come.
func (c *callOut) settle(ctx context.Context, leg *call) error {
	c.tell(Progress{State: Answered})
	if o := c.live.Outgoing; o != nil && o.Press != "" {
		c.herald.reclaim(leg)
		c.herald.ring(c.tone()) // it goes on ringing for the room
		if err := leg.consent(ctx, o.Press); err != nil {
			return err
		}
	}
	c.herald.handOver(leg)
	if err := leg.seat.Arrived(); err != nil {
		leg.log.Warn("the room was not told who has come", "error", err)
	}
	c.joined = true
	c.tell(Progress{State: Joined})
	return nil
}

// regret says in the room why nobody comes.
func (c *callOut) regret(ctx context.Context, err error) {
	c.herald.hush()
	c.tellEnd(err)
	words := failureOf(err).words
	if ctx.Err() != nil || words == "" {
		return // whoever hung up knows
	}
	c.herald.say(ctx, c.language, words)
}

// over tells how it went, and makes it the error of the call.
func (c *callOut) over(err error) error {
	p, f := c.tellEnd(err), failureOf(err)
	c.log.Info("call out ended", "state", string(p.State), "why", p.Why, "code", p.Code, "reason", err)
	if c.joined {
		return nil
	}
	return &CallFailed{Why: f.why, Code: f.code, Reason: f.reason, Words: f.words, Err: err}
}

// tellEnd tells how it went, once: before that is said in the room.
func (c *callOut) tellEnd(err error) Progress {
	if c.end.State != "" {
		return c.end
	}
	f := failureOf(err)
	c.end = Progress{State: Failed, Why: f.why, Code: f.code, Reason: f.reason, Setting: f.setting}
	if c.joined {
		c.end.State = Ended
	}
	c.tell(c.end)
	return c.end
}

// tell tells how it goes.
func (c *callOut) tell(p Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.State == Calling {
		c.trunk = p.Trunk
	}
	p.To, p.Trunk = masked(c.asked.Number), c.trunk
	if c.progress != nil {
		c.progress(p)
	}
}
