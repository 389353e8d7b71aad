package config

import (
	"slices"
	"strconv"
)

// checkMenus finds the engines of menus, and whether there are PINs to ask for.
func (b *builder) checkMenus(c *Config) {
	routes := b.root.get("routes").list()
	fits := isLiveKit
	if !slices.ContainsFunc(b.root.get("engines").list(), isLiveKit) {
		fits = isEmbedded
	}
	for i, t := range b.items("menus") {
		engine := b.refer(t, "engine", "engines", "engine", fits)
		if i < len(c.Live.Menus) {
			c.Live.Menus[i].Engine = engine
			b.checkDigits(t, &c.Live.Menus[i], c.Live.Rooms)
		}
		name := t.get("name")
		if name.ok() && !slices.ContainsFunc(routes, func(r *tree) bool { return r.get("menu").ok() && r.get("menu").text == name.text }) {
			b.warn(t.at, t.path, "no route leads to it")
		}
	}
	b.checkPINs(c)
}

// pinOf is a PIN of a room, and where it stands.
type pinOf struct {
	at           *tree
	room, engine string
	pin          Secret
}

// pins returns all PINs of rooms, in their order.
func (b *builder) pins(all []Room) []pinOf {
	var found []pinOf
	for i, t := range b.items("rooms") {
		if i >= len(all) {
			break
		}
		r := all[i]
		for _, p := range []pinOf{{t.get("pin"), r.Name, r.Engine, r.PIN}, {t.get("moderator").get("pin"), r.Name, r.Engine, r.ModeratorPIN}} {
			if !p.pin.IsEmpty() {
				found = append(found, p)
			}
		}
	}
	return found
}

// checkPINs tells of a PIN that two rooms of an engine have, or a room twice, and of those that no menu asks for.
func (b *builder) checkPINs(c *Config) {
	type place struct{ engine, pin string }
	first := make(map[place]*tree)
	for _, p := range b.pins(c.Live.Rooms) {
		here := place{p.engine, p.pin.Reveal()}
		if other := first[here]; other != nil {
			b.add(p.at.at, p.at.path, "it is the same as %s: which of them would it open?", other.path)
			continue
		}
		first[here] = p.at
		if !slices.ContainsFunc(c.Live.Menus, func(m Menu) bool { return m.Engine == p.engine }) && !b.toldBelow("menus") {
			b.warn(p.at.at, p.at.path, "no menu of %s asks for it", p.engine)
		}
	}
}

// checkDigits tells of a menu in which a PIN of its engine cannot be entered. Where it does not say how many digits they
// have, those of LiveKit have ten, as Meet makes them, and those of embedded rooms are there to be counted.
func (b *builder) checkDigits(t *tree, menu *Menu, all []Room) {
	said, count := t.get("pin").get("digits"), 10
	if isEmbedded(b.engineNamed(menu.Engine)) {
		pins := slices.DeleteFunc(b.pins(all), func(p pinOf) bool { return p.engine != menu.Engine })
		if len(pins) == 0 && !b.toldBelow("rooms") {
			b.warn(t.at, t.path, "no room of %s has a PIN", menu.Engine)
		}
		for _, p := range pins {
			if n := len(p.pin.Reveal()); said.ok() && menu.Digits > 0 && n != menu.Digits {
				b.add(said.at, said.path, "%s has %d", p.at.path, n)
			}
		}
		count = commonLength(pins)
	}
	if pin := t.get("pin"); said == nil && pin.ok() {
		pin.put("digits", digitsText(count))
		menu.Digits = count
	}
}

// commonLength is how many digits all PINs have; 0 where they differ, or there is none.
func commonLength(pins []pinOf) int {
	if len(pins) == 0 {
		return 0
	}
	n := len(pins[0].pin.Reveal())
	if slices.ContainsFunc(pins, func(p pinOf) bool { return len(p.pin.Reveal()) != n }) {
		return 0
	}
	return n
}

// digitsText is what parseDigits reads.
func digitsText(n int) string {
	if n == 0 {
		return "any"
	}
	return strconv.Itoa(n)
}
