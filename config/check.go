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

// toldBelow reports whether there is an error already at path or below it.
func (b *builder) toldBelow(path string) bool {
	return slices.ContainsFunc(b.errors, func(p Problem) bool { return strings.HasPrefix(p.Path, path) })
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

// refer reads the name of an element of a list; nothing said is the only one. It returns "" if there is a problem.
func (b *builder) refer(t *tree, path, list, what string) string {
	all := namesOf(b.root.get(list))
	if t == nil {
		if len(all) == 1 {
			return all[0].name
		}
		if len(all) > 1 {
			b.add(b.at[path], path, "%s is missing: there are %d", what, len(all))
		}
		return ""
	}
	if !t.ok() {
		return ""
	}
	var names []string
	for _, n := range all {
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
		network := b.refer(t.get("network"), t.path, "networks", "network")
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
		engine := b.refer(t.get("engine"), t.path, "engines", "engine")
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
		if i >= len(c.Live.Routes) {
			continue
		}
		route := &c.Live.Routes[i]
		home := slices.IndexFunc(c.Live.Rooms, func(r Room) bool { return r.Name == route.Room && r.Engine != "" })
		switch engine := t.get("engine"); {
		case home < 0:
			route.Engine = b.refer(engine, t.path, "engines", "engine")
		case engine == nil:
			route.Engine = c.Live.Rooms[home].Engine
		default:
			route.Engine = b.refer(engine, t.path, "engines", "engine")
			if route.Engine != "" && route.Engine != c.Live.Rooms[home].Engine {
				b.add(engine.at, engine.path, "the room %s lives in %s", quoted(route.Room), c.Live.Rooms[home].Engine)
			}
		}
		if route.ToMatch != nil && strings.Contains(strings.ReplaceAll(route.Room, "$$", ""), "$") {
			c.Live.AnyRoom = true
		}
	}
	if len(c.Live.Trunks) > 0 && len(b.items("routes")) == 0 && !b.toldBelow("routes") {
		b.warn(b.at["routes"], "routes", "there is none: every call is answered 404")
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
		b.refer(item, item.path, "trunks", "trunk")
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
