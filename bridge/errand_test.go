package bridge

import (
	"context"
	"errors"
	"testing"

	"passerelle/codec"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// TestErrand has another gateway send a call for a phone: it rings where it was sent for, and nowhere else. A call that is no
// errand goes along the routes.
func TestErrand(t *testing.T) {
	t.Parallel()
	desk := newRig(t, nil)
	r := switchboard(t, func() [][]registrar.Binding {
		t.Error("the errand is sent on")
		return nil
	})
	user, ways, ok := "2001", []registrar.Binding{desk.at("desk")}, true
	r.gateway.Errand = func(context.Context, string, sip.Invite) (string, []registrar.Binding, bool) { return user, ways, ok }
	bob, err := desk.call("desk", codec.PCMA)
	must(t, bob, err)
	ada, err := r.call("whatever", codec.PCMU)
	must(t, ada, err)
	stop := ada.whistle(440)
	bob.hears(440)
	stop()
	bob.whistle(700)
	ada.hears(700)
	ada.hangup()
	bob.hangup()

	for _, c := range []struct {
		rule string
		user string
		ways []registrar.Binding
		code int
	}{
		{"it has left", "2001", nil, 480},
		{"no such phone", "2002", ways, 404},
	} {
		user, ways = c.user, c.ways
		_, err := r.call("lobby", codec.PCMU)
		var status *sip.StatusError
		if !errors.As(err, &status) || status.Code != c.code {
			t.Errorf("%s: got %v, want %d", c.rule, err, c.code)
		}
	}
	ok = false
	carl, err := r.call("lobby", codec.PCMU)
	must(t, carl, err)
	carl.hangup()
	r.nothingLeft()
}
