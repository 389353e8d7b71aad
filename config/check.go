package config

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// check tells what is wrong between settings that are right by themselves, and puts in what one says by leaving
// it out.
func (b *builder) check(c *Config) {
	b.checkOne(len(c.Static.Networks), "networks", "network")
	b.checkOne(len(c.Static.Engines), "engines", "engine")
	b.checkNames()
	b.checkTrunks(c)
	b.checkRooms(c)
	b.checkRoutes(c)
	b.checkPorts(c)
	b.checkPage(c)
	b.fillPublicURL(c)
}

// checkOne tells of more than one network or engine, or of none.
func (b *builder) checkOne(n int, path, what string) {
	switch {
	case n == 0 && !b.toldBelow(path):
		b.add(b.at[path], path, "one %s at least is wanted", what)
	case n > 1:
		second := path + "[1]"
		b.add(b.at[second], second, "more than one %s is not supported yet", what)
	}
}

// named is an element of a list, for the checks of names.
type named struct{ path, name string }

// namesOf returns the names of the elements of a list of the tree.
func namesOf(list *tree) []named {
	var all []named
	if !list.ok() {
		return nil
	}
	for _, item := range list.items {
		if name := item.get("name"); name.ok() {
			all = append(all, named{name.path, name.text})
		}
	}
	return all
}

// checkNames tells of names that are there twice.
func (b *builder) checkNames() {
	for _, list := range []string{"networks", "engines", "trunks", "rooms"} {
		first := make(map[string]string)
		for _, n := range namesOf(b.root.get(list)) {
			if at, ok := first[n.name]; ok {
				b.add(b.at[n.path], n.path, "%s has this name already: %s", quoted(n.name), at)
				continue
			}
			first[n.name] = strings.TrimSuffix(n.path, ".name")
		}
	}
	for _, n := range namesOf(b.root.get("trunks")) {
		if n.name == phones {
			b.add(b.at[n.path], n.path, "a trunk cannot be called phones: routes mean registered phones by it")
		}
	}
}

// phones is what routes call all registered phones.
const phones = "phones"

// refer reads the setting of parent that names an element of a list. Where it says nothing it is the only element,
// and is put in. It returns "" if there is a problem.
func (b *builder) refer(parent *tree, key, list, what string) string {
	t := parent.get(key)
	if t != nil {
		return b.lookUp(t, list, what)
	}
	all := namesOf(b.root.get(list))
	if len(all) != 1 {
		if len(all) > 1 && !b.toldBelow(list) {
			b.add(parent.at, parent.path, "%s is missing: there are %d", key, len(all))
		}
		return ""
	}
	parent.put(key, all[0].name)
	return all[0].name
}

// put gives a mapping a scalar that nobody gave.
func (t *tree) put(key, text string) {
	t.keys[key] = &tree{setting: t.setting.find(key), path: join(t.path, key), text: text}
}

// lookUp tells if no element of a list has the name that t says.
func (b *builder) lookUp(t *tree, list, what string) string {
	if !t.ok() {
		return ""
	}
	var names []string
	for _, n := range namesOf(b.root.get(list)) {
		if n.name == t.text {
			return t.text
		}
		names = append(names, n.name)
	}
	t.broken = true
	text := fmt.Sprintf("there is no %s %s", what, quoted(t.text))
	if near := nearest(t.text, names); near != "" {
		text += "; do you mean " + near + "?"
	}
	b.add(t.at, t.path, "%s", text)
	return ""
}

// checkTrunks tells of unknown networks, and of two trunks for one source.
func (b *builder) checkTrunks(c *Config) {
	owner := make(map[netip.Prefix]string)
	for i, t := range b.items("trunks") {
		network := b.refer(t, "network", "networks", "network")
		if i < len(c.Live.Trunks) {
			c.Live.Trunks[i].Network = network
		}
		from := t.get("accept").get("from")
		if !from.ok() {
			continue
		}
		for _, item := range from.items {
			prefix, err := parsePrefix(item.text)
			if err != nil || !item.ok() {
				continue
			}
			if other, ok := owner[prefix]; ok {
				b.add(item.at, item.path, "%s is in %s already: whose calls are they?", prefix, other)
				continue
			}
			owner[prefix] = from.path
		}
	}
	if len(b.items("trunks")) == 0 && !b.toldBelow("trunks") {
		b.warn(b.at["trunks"], "trunks", "there is none: nobody is answered")
	}
}

// checkRooms tells of unknown engines.
func (b *builder) checkRooms(c *Config) {
	for i, t := range b.items("rooms") {
		engine := b.refer(t, "engine", "engines", "engine")
		if i < len(c.Live.Rooms) {
			c.Live.Rooms[i].Engine = engine
		}
	}
}

// items returns the elements of a list, as long as none is broken: their places are those of the typed list then.
func (b *builder) items(list string) []*tree {
	t := b.root.get(list)
	if !t.ok() || slices.ContainsFunc(t.items, func(item *tree) bool { return item.broken }) {
		return nil
	}
	return t.items
}

// checkRoutes tells of unknown trunks and engines, and of rooms that live elsewhere.
func (b *builder) checkRoutes(c *Config) {
	trusted := slices.ContainsFunc(c.Live.Trunks, func(t Trunk) bool { return t.Trusted })
	for i, t := range b.items("routes") {
		if from := t.get("from"); from.ok() {
			b.checkFrom(from)
		} else if from == nil && !trusted {
			b.warn(t.at, t.path, "without from it takes the calls of trusted trunks, and no trunk is trusted")
		}
		if i < len(c.Live.Routes) {
			b.checkDestination(t, &c.Live.Routes[i], c.Live.Rooms)
			c.Live.AnyRoom = c.Live.AnyRoom || c.Live.Routes[i].makesRoom()
		}
	}
	if len(c.Live.Trunks) > 0 && len(b.items("routes")) == 0 && !b.toldBelow("routes") {
		b.warn(b.at["routes"], "routes", "there is none: every call is answered 404")
	}
}

// makesRoom reports whether the room's name has a group of the expression in it.
func (r *Route) makesRoom() bool {
	return r.ToMatch != nil && strings.Contains(strings.ReplaceAll(r.Room, "$$", ""), "$")
}

// checkDestination finds the engine of a route: its own, else its room's, else the only one.
func (b *builder) checkDestination(t *tree, route *Route, rooms []Room) {
	home := slices.IndexFunc(rooms, func(r Room) bool { return r.Name == route.Room && r.Engine != "" })
	if home >= 0 && t.get("engine") == nil {
		t.put("engine", rooms[home].Engine)
	}
	route.Engine = b.refer(t, "engine", "engines", "engine")
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
			b.add(item.at, item.path, "phones that register are not supported yet")
			continue
		}
		b.lookUp(item, "trunks", "trunk")
	}
}

// checkPage reads the page's certificate, and warns where browsers would not give a microphone.
func (b *builder) checkPage(c *Config) {
	page, at := c.Static.HTTP, b.root.get("http")
	if t := at.get("tls"); page.TLS != nil && page.TLS.Cert != "" && page.TLS.Key != "" {
		if _, err := tls.LoadX509KeyPair(page.TLS.Cert, page.TLS.Key); err != nil {
			b.add(t.get("cert").at, t.path, "%s", err)
		}
	}
	listen := at.get("listen")
	local := page.Listen.Addr().IsLoopback()
	if listen.ok() && !local && page.TLS == nil && len(page.BehindProxy) == 0 {
		b.warn(listen.at, listen.path, "the page is served over plain HTTP: browsers on other machines give it no microphone; see http.tls and http.behind_proxy")
	}
}

// fillPublicURL gives an embedded engine the page's URL where it has none of its own.
func (b *builder) fillPublicURL(c *Config) {
	page := b.root.get("http").get("public_url")
	if !page.ok() {
		return
	}
	for i, t := range b.items("engines") {
		embedded := t.get("embedded")
		if i < len(c.Static.Engines) && embedded.ok() && embedded.get("public_url") == nil {
			embedded.put("public_url", page.text)
			c.Static.Engines[i].Embedded.PublicURL = c.Static.HTTP.PublicURL
		}
	}
}
