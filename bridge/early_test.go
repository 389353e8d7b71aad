package bridge

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// ringing is a call of a telephone that is not answered yet.
type ringing struct {
	*telephone
	cancel context.CancelFunc
	rung   chan int      // provisional answers
	end    chan error    // receives once, nil where it is answered
	early  chan struct{} // closed when there is sound before that
}

// begin calls without waiting for the answer.
func (r *rig) begin(to string) *ringing {
	r.t.Helper()
	p := &ringing{telephone: r.telephone(codec.PCMU), rung: make(chan int, 16), end: make(chan error, 1), early: make(chan struct{})}
	offer, err := p.sess.Offer()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	p.cancel = cancel
	r.t.Cleanup(cancel)
	door := r.serve(sip.HandlerFunc(func(context.Context, *sip.Dialog) {}))
	r.run(func(ctx context.Context) error { return p.line.Run(ctx, p, p.key) })
	go func() {
		dialog, answer, err := door.Dial(ctx, sip.Dial{
			To: "sip:" + to + "@" + r.addr.String(), From: sip.Address{User: "0123456789"}, Offer: offer,
			Provisional: func(code int, _ string, body []byte) {
				p.rung <- code
				if len(body) > 0 {
					p.agree(body)
					close(p.early)
				}
			},
		})
		if err == nil {
			select {
			case <-p.early: // the 200 says the same
			default:
				p.agree(answer)
			}
			p.dialog = dialog
		}
		p.end <- err
	}()
	return p
}

func (p *ringing) awaitRing(code int) {
	p.t.Helper()
	select {
	case got := <-p.rung:
		if got != code {
			p.t.Errorf("told %d, want %d", got, code)
		}
	case <-time.After(patience):
		p.t.Fatalf("no %d", code)
	}
}

// deskRig is a rig whose route "reception" leads to one telephone of the test.
func deskRig(t *testing.T) (*rig, *called) {
	t.Helper()
	desk := newRig(t, nil).called()
	return switchboard(t, func() [][]registrar.Binding {
		return [][]registrar.Binding{{{
			Contact: desk.uri(), Flow: registrar.Flow{Network: "tcp", Remote: desk.conn.LocalAddr().(*net.UDPAddr).AddrPort()},
		}}}
	}), desk
}

// A caller hears what is to be heard of the phone that it calls: that it rings when it does, and sound that comes before
// the answer.
func TestACallerHearsHowItRings(t *testing.T) {
	t.Parallel()
	r, desk := deskRig(t)
	ada := r.begin("reception")
	invite := desk.await("INVITE")
	if len(ada.rung) > 0 {
		t.Error("it is said to ring before it does")
	}
	desk.says(invite, 180, "")
	ada.awaitRing(180)
	desk.says(invite, 183, desk.answer(invite))
	ada.awaitRing(183)
	<-ada.early
	hush := desk.whistle(700)
	ada.hears(700)
	stop := ada.whistle(440)
	desk.hears(440)
	hush()
	desk.says(invite, 200, desk.answer(invite))
	desk.await("ACK")
	if err := <-ada.end; err != nil {
		t.Fatal(err)
	}
	desk.hears(440)
	stop()
	desk.whistle(1000)
	ada.hears(1000)
	if err := ada.line.SendDigits(t.Context(), "5"); err != nil {
		t.Fatal(err)
	}
	desk.hangsUp(invite)
	ends(t, ada.telephone, sip.ErrBye)
	eventually(t, "everything given back", func() bool { return r.gateway.Stats().PortsInUse == 0 })
}

// How the other phone refuses is how the call is refused, with its reason.
func TestARefusalOfAPhoneIsTheCallers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		early bool
		code  int
	}{{"busy", false, 486}, {"busy, as an announcement has said", true, 486}, {"declined", false, 603}} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r, desk := deskRig(t)
			ada := r.begin("reception")
			invite := desk.await("INVITE")
			if c.early {
				desk.says(invite, 183, desk.answer(invite))
				ada.awaitRing(183)
				desk.whistle(700)
				ada.hears(700)
			}
			desk.says(invite, c.code, "", `Reason: Q.850;cause=17;text="User busy"`)
			err := <-ada.end
			var status *sip.StatusError
			if !errors.As(err, &status) || status.Code != c.code || status.Because.String() != "Q.850 17 User busy" {
				t.Errorf("got %v, %+v", err, status)
			}
			eventually(t, "everything given back", func() bool { return r.gateway.Stats().PortsInUse == 0 })
		})
	}
}

// A caller who gives up is one for whom nobody is rung any more.
func TestACallerGivesUp(t *testing.T) {
	t.Parallel()
	r, desk := deskRig(t)
	ada := r.begin("reception")
	invite := desk.await("INVITE")
	desk.says(invite, 180, "")
	ada.awaitRing(180)
	ada.cancel()
	cancel := desk.await("CANCEL")
	desk.says(cancel, 200, "")
	desk.says(invite, 487, "")
	if ack := desk.await("ACK"); !strings.Contains(ack, "ACK") {
		t.Error(ack)
	}
	<-ada.end
	eventually(t, "everything given back", func() bool { return r.gateway.Stats().PortsInUse == 0 })
}
