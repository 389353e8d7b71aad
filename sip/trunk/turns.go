package trunk

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"passerelle/sip"
	"passerelle/sip/contact"
)

// Where several gateways share a trunk, one of them is registered there. It is whose turn it is. Whoever follows registers
// first, and then takes back what is left of the one before, where the server lists it: the trunk can always call us.

// Turns says whose turn it is. Its methods but Await return within a fraction of a second.
type Turns interface {
	// Await returns when it is our turn: the turn is a context, and ends with it. The error is why it will never be.
	Await(ctx context.Context) (turn context.Context, err error)
	// Still returns nil where it is still our turn, or nobody can say otherwise. It is asked before every REGISTER: we
	// may have slept since.
	Still(ctx context.Context) error
	// Registered notes what our Contact is, and returns those that other gateways have registered.
	Registered(ctx context.Context, contact string) (others []string)
	// Pass ends our turn, and reports whether another gateway has registered, for which it waits a few seconds.
	Pass(ctx context.Context) bool
}

// alone is Turns without anybody else.
type alone struct{}

func (alone) Await(ctx context.Context) (context.Context, error)   { return ctx, context.Cause(ctx) }
func (alone) Still(context.Context) error                          { return nil }
func (alone) Registered(context.Context, string) (others []string) { return nil }
func (alone) Pass(context.Context) bool                            { return false }

// errTurn is why we are not registered where others are.
var errTurn = errors.New("it is another gateway's turn")

// takeTurns registers while it is our turn. In the end the registration is somebody else's, or taken back.
func (t *Trunk) takeTurns(ctx context.Context) {
	if t.turns != (alone{}) {
		t.await()
	}
	for ctx.Err() == nil {
		turn, err := t.turns.Await(ctx)
		if err != nil {
			break
		}
		t.stayRegistered(turn)
		if ctx.Err() == nil {
			t.unregistered(errTurn)
		}
	}
	t.guarded(func() { t.end(ctx) })
}

// await notes that it is not our turn yet.
func (t *Trunk) await() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.register = state{known: true, since: time.Now(), reason: errTurn.Error()}
}

// end gives the registration to another gateway, or takes it back where there is none.
func (t *Trunk) end(ctx context.Context) {
	passed, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if t.turns.Pass(passed) {
		t.await()
		return
	}
	t.leave(ctx)
}

// still returns nil where it is our turn.
func (t *Trunk) still(ctx context.Context) error {
	if err := t.turns.Still(ctx); err != nil {
		return &failure{reason: err.Error()}
	}
	return nil
}

// replace takes back what other gateways have registered, as far as the server lists it beside ours.
func (t *Trunk) replace(ctx context.Context, uri string, ours sip.Reply) {
	others := t.turns.Registered(ctx, ours.Contact)
	listed, err := contact.Parse(ours.Header("Contact")...)
	if err != nil {
		return
	}
	for _, other := range others {
		key, err := contact.Key(other)
		if err != nil || other == ours.Contact || !slices.ContainsFunc(listed, func(a contact.Address) bool {
			theirs, err := contact.Key(a.URI)
			return err == nil && theirs == key
		}) {
			continue
		}
		if _, err := t.askFor(ctx, uri, 0, "", sip.Header{Name: "Contact", Value: "<" + other + ">"}); err != nil {
			t.log.Info("the registration of another gateway was not taken back", "contact", other, "error", err)
		}
	}
}

// ask registers our Contact for so long; 0 takes it back.
func (t *Trunk) ask(ctx context.Context, uri string, expires time.Duration) (sip.Reply, error) {
	return t.askFor(ctx, uri, expires, t.config.Register.User)
}

// askFor sends a REGISTER: for our Contact, or the one among the headers.
func (t *Trunk) askFor(ctx context.Context, uri string, expires time.Duration, ours string, headers ...sip.Header) (sip.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := t.asker.Ask(ctx, sip.Ask{
		Method: "REGISTER", To: withoutUser(uri), Subject: t.subject(), CallID: t.callID, CSeq: t.cseq,
		Contact: ours, Keys: t.config.Register.Keys,
		Headers: append([]sip.Header{{Name: "Expires", Value: strconv.Itoa(int(expires / time.Second))}}, headers...),
	})
	t.cseq = max(t.cseq+1, reply.CSeq)
	return reply, err
}
