package bridge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// keysKept is how many keys of a phone wait for the call to look at them.
const keysKept = 32

// call is one call, from its INVITE to its end. The call's goroutine, that of serve, owns all fields but
// those that say otherwise.
type call struct {
	gateway *Gateway
	dialog  *sip.Dialog
	invite  sip.Invite
	network string // that it came in on
	log     *slog.Logger
	began   time.Duration

	// The way to the phone.
	to       destination
	live     *config.Live // in force when the call came, and until its end
	place    string       // to, as it was when the call was admitted
	session  sdp.Session
	media    sdp.Media // from step 4 on the handshake's, under renewing
	line     *rtp.Line
	phone    *audio.Phone
	speaker  speaker
	booth    *audio.Mix    // where the phone is while it is in no room; nil while it is in one
	keypad   keypad        // of the phone
	keys     chan rune     // that were pressed on it
	dialpad  dialpad       // dials towards it
	answer   []byte        // to its offer; nil where it has none
	hush     func()        // ends the reading of the line; nil while nobody reads
	answered time.Duration // 0 until it is
	renewing sync.Mutex    // held by the handshake
	agreed   chan struct{} // receives when there is a first agreement
	held     bool          // by the phone: it hears nothing; under renewing, as media
	back     chan struct{} // receives when it hears again

	// The way to the room.
	received   bool              // answered before it has a seat: a menu asks, or the room has a waiting room
	admitted   time.Duration     // when the menu let it through
	attributes map[string]string // of the participant, as the reception wants them
	room       *openRoom         // nil while the call has no seat
	seat       rooms.Seat
	partner    *call // the other phone, where there is no room; nil if there is none

	inCall    ivr.Keys
	muted     bool
	moderated bool // and a moderator did it last
	kept      bool // and alone may unmute it
	hand      bool // raised
	volume    int  // of what the phone hears, in dB

	announcer announcer

	// Transfers.
	spot      atomic.Pointer[spot] // where it is, for a call that takes over from it
	replacing *call                // the call that this one takes over from; nil: none
	language  string               // that was chosen in it; "" is none
	moves     chan *move           // to another room
	next      *move                // of moves, that talk has taken

	// A leg, which is a call of ours (leg.go).
	plain      *slog.Logger     // log, before the INVITE has an ID
	part       bool             // of another call
	counted    bool             // it is admitted
	prepared   bool             // line and phone are there
	sounds     atomic.Bool      // there is something to be heard of it before its answer
	permit     *outgoing.Permit // nil where nobody had to be asked
	lastMinute *alarm           // of what the permit lets it last

	// What the caller knows of the room.
	known       news
	informed    bool // known means something
	interrupted bool // the seat is
	way         way
	stayedAlone *alarm

	sound  atomic.Pointer[sound]  // set once line and phone are there, for the statistics
	oneWay atomic.Pointer[oneWay] // why sound goes one way; nil while it does not
	vigil  atomic.Pointer[vigil]  // over the sound, from the answer on
}

// sound is the two ends of a call's sound.
type sound struct {
	line  *rtp.Line
	phone *audio.Phone
}

func newCall(g *Gateway, network string, d *sip.Dialog) *call {
	c := blankCall(g, network)
	c.dialog, c.invite = d, d.Invite()
	c.log = g.Log.With("call", c.invite.CallID)
	return c
}

// blankCall is a call that has no dialog yet.
func blankCall(g *Gateway, network string) *call {
	return &call{
		gateway: g, network: network, began: g.Clock(),
		keys: make(chan rune, keysKept), back: make(chan struct{}, 1),
		agreed: make(chan struct{}, 1), moves: make(chan *move), log: g.Log, lastMinute: newAlarm(0),
	}
}

// serve takes the call from its INVITE to its end. An error before step 6 refuses the INVITE; after it,
// the error is why the call ended. What a step opens its defer closes, so that the teardown is this
// function read upwards.
func (c *call) serve(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() { // why it was given up, and not only that it was
		if c.answered == 0 {
			err = because(ctx, err)
		}
	}()

	// 1. Where does it go, and is there room for it?
	if err := c.find(ctx); err != nil {
		return err
	}
	if err := c.gateway.admit(c, cancel); err != nil {
		return err
	}
	defer c.gateway.dismiss(c)
	defer func() { c.hangup(ctx, err) }()

	// 2. A line for the phone.
	if err := c.connect(); err != nil {
		return err
	}
	defer c.line.Close()

	// 3. What the phone and we both speak. Where it leaves the offer to us, that is known after the answer.
	answer, err := c.open(ctx, c.invite.Body)
	if err != nil {
		return err
	}

	// 4. A place in the engine room. From here on the phone may change its mind (hold, another address,
	// another codec).
	if err := c.plug(); err != nil {
		return fmt.Errorf("join line and engine: %w", err)
	}
	defer c.unplug()
	c.answer = answer
	if !c.to.reaches() { // else it is told when somebody rings
		if err := c.dialog.RingWith(ctx, answer); err != nil {
			return fmt.Errorf("ring: %w", err)
		}
	}

	// 5. A seat in the room, or another phone that answers; the phone rings until then. A menu asks for the room after
	// the answer, a waiting room is opened after it, and what is only said needs none.
	defer c.stand()
	defer c.partWith(ctx)
	defer c.deafen()
	if !c.received && c.to.hasRoom() {
		if err := c.meet(ctx, cancel); err != nil {
			return err
		}
	}

	// 6. Answer.
	if err := c.dialog.Answer(ctx, answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	c.answered = c.gateway.Clock()
	if err := c.awaitAgreement(ctx); err != nil {
		return because(ctx, err)
	}
	if c.replacing != nil {
		c.gateway.end(c.replacing, errReplaced)
	}
	c.logStart()
	ctx, stop := c.bounded(ctx)
	defer stop()

	// 7. Listen to the phone.
	c.hears(cancel)
	defer c.watch()()
	defer func() { c.farewell(err) }()

	if err := c.awaitKeys(ctx); err != nil {
		return err
	}

	return c.proceed(ctx)
}

// find finds out where the call goes, to the place of another or along a route, under the configuration that is in force
// now and the call's until its end.
func (c *call) find(ctx context.Context) (err error) {
	routes := c.gateway.directory()
	c.live = routes.live
	if c.invite.Replaces != nil {
		return c.takeOver(ctx)
	}
	if errand, err := c.errand(ctx); errand {
		return err
	}
	c.to, err = routes.route(c.network, c.invite, c.gateway.ServerOf, time.Now())
	if p := c.to.phone; p != nil { // who it is, and not who it says that it is
		c.invite.From.Display, c.invite.From.User = p.Name, p.User
	}
	c.received = err == nil && (c.asks() || c.knocks())
	return err
}

// proceed is the rest of serve, with a phone that is listened to.
func (c *call) proceed(ctx context.Context) error {
	// 8. Which room, if a menu has to ask, and may it enter; some calls lead to none.
	if !c.to.hasRoom() {
		return because(ctx, c.entertain(ctx))
	}
	if c.received {
		defer c.forgetName()
		if err := c.choose(ctx); err != nil {
			return because(ctx, err)
		}
	}

	// 9. Talk, in this room and in those that the phone is moved to.
	defer c.dialOut()()
	defer c.stand()
	return c.stay(ctx)
}

// asks reports whether a menu has to ask for the room.
func (c *call) asks() bool { return c.to.menu != nil && c.to.room == "" }

// knocks reports whether the room that was dialled has a waiting room. Who takes the place of another was let in already.
func (c *call) knocks() bool {
	porter, ok := c.rooms().Reception.(rooms.Porter)
	return ok && c.to.room != "" && porter.Knocks(c.to.room)
}

// stay goes on until the call is over.
func (c *call) stay(ctx context.Context) error {
	if c.partner != nil {
		return c.converse(ctx)
	}
	c.excuse()
	return c.talkOn(ctx)
}

// meet finds whom the call is for: those in a room, one phone, or whoever is called over a trunk.
func (c *call) meet(ctx context.Context, cancel context.CancelCauseFunc) error {
	switch {
	case c.to.out != nil:
		return c.goOut(ctx, cancel)
	case c.to.ring != nil:
		devices, err := c.devices()
		if err != nil {
			return err
		}
		return c.reach(ctx, cancel, devices)
	}
	return c.sit(ctx)
}

// connect opens the phone's line.
func (c *call) connect() error {
	ports, err := c.gateway.Networks[c.network].Ports.towards(c.invite.Source.Addr())
	if err != nil {
		return err
	}
	if c.line, err = rtp.Listen(rtp.Config{Ports: ports, Clock: c.gateway.Clock, Log: c.log}); err != nil {
		return fmt.Errorf("open a phone line: %w", err)
	}
	return nil
}

// because returns why ctx has ended, where that is why something failed: whoever was interrupted may say
// only that it was.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// hold does what the media say. A phone that does not listen has put us on hold: its music is not for the
// room (sendonly, inactive).
func (c *call) hold() {
	was := c.held
	c.held = !c.media.Direction.Sends()
	c.phone.Hold(c.held)
	c.phone.HearKeys(c.keysAreTones())
	if !was || c.held {
		return
	}
	select {
	case c.back <- struct{}{}:
	default: // it is known already
	}
}

// plug makes the phone of the engine room.
func (c *call) plug() (err error) {
	c.phone, err = c.gateway.Engine.NewPhone(audio.PhoneConfig{
		Kind: c.media.Kind, PTime: c.media.PTime, Bitrate: c.media.Bitrate, Down: c.line, NoGain: !c.to.trunk.Gain, NoGate: !c.to.trunk.Gate, Keys: c.heardTone, Log: c.log,
	})
	if err != nil {
		return err
	}
	c.speaker = speaker{phone: c.phone, voices: c.gateway.Voices, language: cmp.Or(c.language, language(c.live, c.to))}
	c.sound.Store(&sound{c.line, c.phone})
	c.hold()
	c.dialog.Negotiate(handshake{c})
	c.dialog.OnKey(c.heardInfo)
	if c.to.trunk.Transfer.Allowed && c.to.hasRoom() {
		c.dialog.OnRefer(c.referral(c.to.trunk))
	}
	return nil
}

// unplug gives it back. The dialog outlives the call by the INVITE transaction, and must not keep it.
func (c *call) unplug() {
	c.dialog.Negotiate(nil)
	c.dialog.OnKey(nil)
	c.dialog.OnRefer(nil)
	c.phone.Close()
	c.closeBooth()
}

// bounded ends ctx when the call has lasted as long as it may: as the engine says, and the permit.
func (c *call) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	stop := context.CancelFunc(func() {})
	if most := c.rooms().MaxCall; most > 0 {
		ctx, stop = context.WithTimeoutCause(ctx, most, errTimeUp)
	}
	ctx, end := c.spend(ctx)
	return ctx, func() { end(); stop() }
}

// hears reads the line until the call is over; a line that ends by itself ends the call. It begins with the answer, or where
// sound comes before it, and may be called again. The line outlasts the talk, so that the phone can be told goodbye.
func (c *call) hears(cancel context.CancelCauseFunc) {
	if c.hush != nil {
		return
	}
	ctx, hush := context.WithCancel(c.dialog.Context())
	ended := make(chan struct{})
	go func() { // the line reader; line.Run recovers
		defer close(ended)
		if err := c.line.Run(ctx, c.phone, c.heardDigit); err != nil {
			cancel(err)
		}
	}()
	c.hush = func() { hush(); <-ended }
}

// deafen ends the reading of the line, and waits for that.
func (c *call) deafen() {
	if c.hush != nil {
		c.hush()
		c.hush = nil
	}
}

// awaitKeys waits until the phone can hear. A handshake that does not come to its end ends the line, and that the call.
func (c *call) awaitKeys(ctx context.Context) error {
	select {
	case <-c.line.Secured():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lineParams is what offer and answer agreed on, as the line wants it.
func lineParams(m sdp.Media, local, signalling netip.Addr) rtp.Params {
	if !m.Remote.IsValid() { // c=0.0.0.0; to the line the unspecified address is that hold
		m.Remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if local.Is6() {
			m.Remote = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	return rtp.Params{
		Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, RTCPMux: m.RTCPMux, Signalling: signalling,
		Kind: m.Kind, PayloadType: m.PayloadType, PTime: m.PTime,
		TelephoneEvent: m.TelephoneEvent, EventClock: m.EventClock,
		Send: m.Direction.Sends(), Receive: m.Direction.Receives(), SRTP: lineKeys(m.Crypto),
	}
}

// shaking is what offer and answer agreed on to make keys with; nil where none are made.
func (g *Gateway) shaking(d *sdp.DTLS) *rtp.DTLS {
	if d == nil {
		return nil
	}
	made := &rtp.DTLS{Identity: g.Identity, Active: d.Active}
	for _, f := range d.Fingerprints {
		made.Fingerprints = append(made.Fingerprints, rtp.Fingerprint{Hash: f.Hash, Digest: f.Digest})
	}
	for _, s := range d.Suites {
		made.Suites = append(made.Suites, string(s))
	}
	if d.ICE != nil {
		made.ICE = &rtp.ICE{Ufrag: d.ICE.Ufrag, Password: string(d.ICE.Password.Reveal()), RemoteUfrag: d.ICE.RemoteUfrag}
	}
	return made
}

// lineKeys is what offer and answer agreed on to encrypt with; nil is in clear.
func lineKeys(c *sdp.Crypto) *rtp.SRTP {
	if c == nil {
		return nil
	}
	return &rtp.SRTP{
		Suite: string(c.Suite), Send: c.Ours, Receive: c.Theirs,
		SendMKI: c.OurMKI, ReceiveMKI: c.TheirMKI, ClearRTCP: c.ClearRTCP,
	}
}
