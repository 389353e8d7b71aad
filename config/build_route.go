package config

import (
	"slices"
	"strings"
	"time"
)

func (b *builder) route(t *tree) Route {
	r := Route{
		From:      values(b, t.get("from"), anyText),
		To:        value(b, t.get("to"), anyText),
		ToMatch:   value(b, t.get("to_match"), parseExpression),
		Callers:   values(b, t.get("caller"), anyText),
		Caller:    value(b, t.get("caller_match"), parseExpression),
		Transport: values(b, t.get("transport"), parseTransport),
		Header:    b.header(t.get("header")),
		Hours:     values(b, t.get("hours"), parseHours),
		Zone:      b.zone(t),
		Video:     value(b, t.get("video"), parseBool),
		Menu:      value(b, t.get("menu"), anyText),
		Trunk:     value(b, t.get("trunk"), anyText),
		Announce:  value(b, t.get("announce"), parseAnnouncement),
		Language:  value(b, t.get("language"), parseLanguage),
		Echo:      value(b, t.get("echo"), parseOn),
		Reject:    value(b, t.get("reject"), parseNumber(400, 699)),
	}
	b.either(t, "to", "to_match")
	b.either(t, "caller", "caller_match")
	if to := t.get("to"); to.ok() && to.text == "" {
		b.add(to.at, to.path, "it is empty")
	}
	for _, key := range []string{"caller", "transport", "hours"} {
		if list := t.get(key); list.ok() && len(list.items) == 0 {
			b.add(list.at, list.path, "one at least is wanted")
		}
	}
	b.destination(t)
	if match := t.get("to_match"); match == nil || match.ok() { // what stands in for a broken one cannot be judged
		r.Room = value(b, t.get("room"), parseRoom(r.ToMatch))
		r.Phone = value(b, t.get("phone"), parsePhone(r.ToMatch))
		r.PIN = value(b, t.get("pin"), b.parsePIN(t.get("pin"), r.ToMatch))
		r.Redirect = value(b, t.get("redirect"), parseRedirect(r.ToMatch))
	}
	return r
}

// either tells of two settings of which one is enough.
func (b *builder) either(t *tree, one, other string) {
	if second := t.get(other); t.get(one) != nil && second != nil {
		b.add(second.at, second.path, "there is %s already; one of the two is enough", one)
	}
}

// ends are the settings that say where a route leads.
func ends() []string {
	return []string{"room", "menu", "phone", "trunk", "announce", "echo", "reject", "redirect"}
}

// destination tells of a route that leads nowhere, or to two places, and of what is said of another place.
func (b *builder) destination(t *tree) {
	var there string
	for _, key := range ends() {
		switch end := t.get(key); {
		case end == nil:
		case there != "":
			b.add(end.at, end.path, "there is %s already; one of the two is enough", there)
		default:
			there = key
		}
	}
	if there == "" {
		b.add(t.at, t.path, "where it leads is missing: %s", strings.Join(ends(), ", "))
	}
	if pin := t.get("pin"); pin != nil && t.get("menu") == nil {
		b.add(pin.at, pin.path, "only a menu takes a PIN, and there is none")
	}
	if language := t.get("language"); language != nil && slices.Contains([]string{"phone", "reject", "redirect"}, there) {
		b.add(language.at, language.path, "nothing is said on the way to %s", there)
	}
}

// header reads which header an INVITE must have.
func (b *builder) header(t *tree) *Header {
	if !t.ok() {
		return nil
	}
	return &Header{Name: value(b, t.get("name"), parseHeaderName), Match: value(b, t.get("match"), parseExpression)}
}

// zone reads the time zone of a route's hours.
func (b *builder) zone(t *tree) *time.Location {
	if zone := t.get("zone"); zone != nil && t.get("hours") == nil {
		b.add(zone.at, zone.path, "it belongs beside hours")
	}
	return value(b, t.get("zone"), parseZone)
}

// numbers reads the numbering plan of a trunk.
func (b *builder) numbers(t *tree) Numbers {
	n := Numbers{
		Plan:    value(b, t.get("plan"), parseRegion),
		Outside: value(b, t.get("outside"), parseOutside),
		Extensions: Extensions{
			Digits: value(b, t.get("extensions").get("digits"), parseNumber(2, 8)),
			E164:   value(b, t.get("extensions").get("e164"), parseExtension),
		},
	}
	b.ours(t, &n)
	if outside := t.get("outside"); outside != nil && t.get("plan") == nil {
		b.add(outside.at, outside.path, "it belongs beside plan")
	}
	return n
}

// makesRoom reports whether the room's name has a group of the expression in it.
func (r *Route) makesRoom() bool {
	return r.ToMatch != nil && strings.Contains(strings.ReplaceAll(r.Room, "$$", ""), "$")
}

// MakesPIN reports whether the PIN has a group of the expression in it: what was dialled is not to be seen then.
func (r *Route) MakesPIN() bool {
	return r.ToMatch != nil && strings.Contains(r.PIN.Reveal(), "$")
}
