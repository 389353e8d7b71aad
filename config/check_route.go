package config

import (
	"slices"
)

// checkRooms finds the engines of rooms, which are embedded ones.
func (b *builder) checkRooms(c *Config) {
	for i, t := range b.items("rooms") {
		engine := b.refer(t, "engine", "engines", "engine", isEmbedded)
		switch at := t.get("engine"); {
		case engine == "" && at == nil && !b.toldBelow("engines") && !b.toldBelow(t.path):
			b.add(t.at, t.path, "an embedded engine is wanted: these rooms live in it")
		case engine != "" && !isEmbedded(b.engineNamed(engine)):
			b.add(at.at, at.path, "rooms with properties of their own are embedded, and %s is not", engine)
		}
		if i < len(c.Live.Rooms) {
			c.Live.Rooms[i].Engine = engine
			b.checkModerators(t, &c.Live.Rooms[i])
		}
	}
}

// checkModerators tells of moderators whom nothing makes, and of waiting rooms that nobody could open.
func (b *builder) checkModerators(t *tree, r *Room) {
	moderator := t.get("moderator")
	switch password := moderator.get("password"); {
	case b.toldBelow(t.path):
	case moderator.ok() && password == nil && moderator.get("pin") == nil:
		b.add(moderator.at, moderator.path, "a password or a pin is wanted")
	case !r.ModeratorPassword.IsEmpty() && r.ModeratorPassword.Reveal() == r.Password.Reveal():
		b.add(password.at, password.path, "it is the same as %s.password: whoever knows that one would be a moderator", t.path)
	case r.WaitingRoom && r.ModeratorPassword.IsEmpty():
		at := t.get("waiting_room")
		b.add(at.at, at.path, "nobody could let anyone in: moderator.password is wanted")
	case r.KeepMuted && moderator == nil:
		at := t.get("unmute")
		b.warn(at.at, at.path, "the room has no moderator")
	}
}

// checkRoutes tells of unknown trunks, menus and engines, and of rooms that live elsewhere.
func (b *builder) checkRoutes(c *Config) {
	trusted := len(c.Live.Phones) > 0 || slices.ContainsFunc(c.Live.Trunks, func(t Trunk) bool { return t.Trusted })
	for i, t := range b.items("routes") {
		if from := t.get("from"); from.ok() {
			b.checkFrom(from)
		} else if from == nil && !trusted {
			b.warn(t.at, t.path, "without from it takes the calls of phones and of trusted trunks, and there are none")
		}
		if i >= len(c.Live.Routes) {
			continue
		}
		switch route := &c.Live.Routes[i]; {
		case t.get("menu") != nil:
			b.checkMenuRoute(t, route, c.Live.Menus)
		case t.get("phone") != nil:
			b.checkPhoneRoute(t, route, c.Live.Phones)
		case t.get("trunk") != nil:
			b.checkTrunkRoute(t, c)
		case t.get("room") == nil:
			if engine := t.get("engine"); engine != nil {
				b.add(engine.at, engine.path, "it leads to no room")
			}
		default:
			b.checkDestination(t, route, c.Live.Rooms)
			c.Live.AnyRoom = c.Live.AnyRoom || route.makesRoom() && isEmbedded(b.engineNamed(route.Engine))
		}
	}
	if len(c.Live.Trunks)+len(c.Live.Phones) > 0 && len(b.items("routes")) == 0 && !b.toldBelow("routes") {
		b.warn(b.at["routes"], "routes", "there is none: every call is answered 404")
	}
}

// checkPhoneRoute finds the phone of a route, where its name is no template.
func (b *builder) checkPhoneRoute(t *tree, route *Route, all []Phone) {
	if engine := t.get("engine"); engine != nil {
		b.add(engine.at, engine.path, "a phone is in no room")
	}
	phone := t.get("phone")
	if route.ToMatch != nil || !phone.ok() || b.toldBelow("phones") {
		return
	}
	var users []string
	for _, p := range all {
		if p.User == phone.text {
			return
		}
		users = append(users, p.User)
	}
	text := "there is no phone " + quoted(phone.text)
	if near := nearest(phone.text, users); near != "" {
		text += "; do you mean " + near + "?"
	}
	b.add(phone.at, phone.path, "%s", text)
}

// checkMenuRoute finds the menu of a route; its engine is the menu's, and its PIN one that the menu could be told.
func (b *builder) checkMenuRoute(t *tree, route *Route, menus []Menu) {
	name := b.lookUp(t.get("menu"), "menus", "menu")
	i := slices.IndexFunc(menus, func(m Menu) bool { return name != "" && m.Name == name })
	if i < 0 || menus[i].Engine == "" {
		return
	}
	menu := menus[i]
	if t.get("engine") == nil {
		t.put("engine", menu.Engine)
	}
	route.Engine = b.refer(t, "engine", "engines", "engine", nil)
	if engine := t.get("engine"); route.Engine != "" && route.Engine != menu.Engine {
		b.add(engine.at, engine.path, "the menu %s is for %s", menu.Name, menu.Engine)
	}
	pin, n := t.get("pin"), len(route.PIN.Reveal())
	if n > 0 && !route.MakesPIN() && menu.Digits > 0 && n != menu.Digits {
		b.add(pin.at, pin.path, "the PINs of menu %s have %d digits", menu.Name, menu.Digits)
	}
}

// checkDestination finds the engine of a route to a room: its own, else its room's, else the only one.
func (b *builder) checkDestination(t *tree, route *Route, rooms []Room) {
	home := slices.IndexFunc(rooms, func(r Room) bool { return r.Name == route.Room && r.Engine != "" })
	if home >= 0 && t.get("engine") == nil {
		t.put("engine", rooms[home].Engine)
	}
	route.Engine = b.refer(t, "engine", "engines", "engine", nil)
	if home >= 0 && route.Engine != "" && route.Engine != rooms[home].Engine {
		engine := t.get("engine")
		b.add(engine.at, engine.path, "the room %s lives in %s", quoted(route.Room), rooms[home].Engine)
	}
}

// checkFrom reads the names in a route's from.
func (b *builder) checkFrom(from *tree) {
	if len(from.items) == 0 {
		b.add(from.at, from.path, "one trunk at least is wanted; leave from out for all trusted trunks")
	}
	for _, item := range from.items {
		if item.ok() && item.text == phones {
			if len(b.items("phones")) == 0 && !b.toldBelow("phones") {
				b.warn(item.at, item.path, "there are no phones")
			}
			continue
		}
		b.lookUp(item, "trunks", "trunk")
	}
}
