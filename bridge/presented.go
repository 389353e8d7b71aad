package bridge

import (
	"passerelle/bridge/numbers"
	"passerelle/config"
	"passerelle/sip"
)

// presented is who calls, as a trunk is told.
type presented struct {
	from, asserted sip.Address // From, and P-Asserted-Identity; without a user that one is not sent
	private        bool        // who calls wants not to be known
}

// present says as whom somebody calls over a trunk with that plan. It is always one of the numbers that the trunk has given us (numbers.ours):
// the caller's own, else numbers.present, without a name, for a name may say another number. Who withholds the number, or
// has none, has no user: the trunk is told ours all the same, and, of private calls, to keep it to itself (RFC 3323). A trunk
// that nothing is known of is told who calls as it is.
func present(trunk *config.Trunk, plan numbers.Plan, who sip.Address, private bool) presented {
	host := ""
	if trunk.Register != nil {
		host = trunk.Register.Domain
	}
	n := trunk.Numbers
	if n.Present == "" {
		if who.User == "" || private {
			who = sip.Address{User: "anonymous"}
		}
		who.Host = host
		return presented{from: who, private: private}
	}
	number := plan.Read(who.User)
	own := sip.Address{User: n.Present, Host: host}
	for _, text := range []string{number.E164, number.Bare} {
		if text != "" && n.Owns(text) {
			own = sip.Address{Display: who.Display, User: text, Host: host}
			break
		}
	}
	p := presented{from: own, asserted: own, private: private}
	if private {
		p.from = sip.Address{Display: "Anonymous", User: "anonymous", Host: "anonymous.invalid"}
	}
	return p
}

// on puts it into a call.
func (p presented) on(d *sip.Dial) {
	d.From, d.Asserted, d.Private = p.from, p.asserted, p.private
}
