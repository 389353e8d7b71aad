package bridge

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"passerelle/bridge/numbers"
	"passerelle/config"
)

// DialIn is how a room is reached by telephone, for an invitation.
type DialIn struct {
	Room   string `json:"room"`
	Number string `json:"number,omitempty"` // to dial: E.164 where it is one; "" if no route has one
	PIN    string `json:"pin,omitempty"`    // to enter then
	Tel    string `json:"tel,omitempty"`    // a tel: URI (RFC 3966) that does both
	User   string `json:"user,omitempty"`   // to dial over SIP, before the @; "" if no route takes it
}

// HowToDial finds how a room is reached: by the first number that leads there, and by the shortest that SIP takes. Rooms
// behind a menu need their PIN, which whoever invites knows; without one it is that of the embedded room, if it has any. ok says that there is a way.
func HowToDial(live *config.Live, room, pin string, at time.Time) (in DialIn, ok bool) {
	in = DialIn{Room: room}
	home := "" // the engine, where it is known
	if named := slices.IndexFunc(live.Rooms, func(r config.Room) bool { return r.Name == room }); named >= 0 && pin == "" {
		pin, home = live.Rooms[named].PIN.Reveal(), live.Rooms[named].Engine
	}
	for i := range live.Routes {
		r := &live.Routes[i]
		direct := r.Room == room && r.ToMatch == nil
		menu := r.Menu != "" && r.PIN.IsEmpty() && pin != "" && (home == "" || r.Engine == home)
		if r.To == "" || !direct && !menu {
			continue
		}
		n := readAnywhere(live, r)
		if n.Kind == numbers.Name {
			continue
		}
		in.Number, in.Tel = n.Text(), "tel:"+n.Text()
		if menu {
			in.PIN = pin
			in.Tel += ",," + pin + "%23" // pauses, as telephones understand them, and the pound key
		}
		break
	}
	in.User = dialledBySIP(live, room, pin, home, at)
	return in, in.Number != "" || in.User != ""
}

// Shown is the number as people write it.
func (in DialIn) Shown() string { return grouped(in.Number) }

// readAnywhere reads the number of a route under the plan of a trunk whose calls it takes, the first that makes a number
// of the world of it.
func readAnywhere(live *config.Live, r *config.Route) numbers.Number {
	n := numbers.Plan{}.Read(r.To)
	for i := range live.Trunks {
		t := &live.Trunks[i]
		q := question{Ask: Ask{Trunk: t}}
		if d := (&directory{live: live}); d.misses(&config.Route{From: r.From}, &q) != "" {
			continue
		}
		if read := planOf(live, t).Read(r.To); read.E164 != "" {
			return read
		}
	}
	return n
}

// dialledBySIP returns what leads to a room when some trunk dials it: the room, its PIN, or room*PIN.
func dialledBySIP(live *config.Live, room, pin, home string, at time.Time) string {
	users := []string{room}
	if pin != "" {
		users = append(users, pin, room+"*"+pin)
	}
	d := newDirectory(live)
	for _, user := range users {
		for i := range live.Trunks {
			to, err := d.decide(Ask{
				Trunk: &live.Trunks[i], Called: user, Transport: "udp", Header: func(string) []string { return nil }, At: at,
			}, masked)
			if err == nil && (to.room == room && to.menu == nil && to.hasRoom() || to.menu != nil && pin != "" && to.pin == pin && (home == "" || to.engine == home)) {
				return user
			}
		}
	}
	return ""
}

// SIP is the address that leads to the room at a host, such as "gateway.example" or "192.0.2.9:5070;transport=tcp".
func (in DialIn) SIP(host string) string {
	if in.User == "" {
		return ""
	}
	return "sip:" + strings.ReplaceAll(url.PathEscape(in.User), "@", "%40") + "@" + host
}
