package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// check tells what is wrong between settings that are right by themselves, and puts in what one says by leaving
// it out.
func (b *builder) check(c *Config) {
	b.checkAny(len(c.Static.Networks), "networks", "network")
	b.checkAny(len(c.Static.Engines), "engines", "engine")
	b.checkEngines()
	b.checkNames()
	b.checkTrunks(c)
	b.checkPhones(c)
	b.checkTLS(c)
	b.checkSuites(c)
	b.checkLanguages(c)
	b.checkRooms(c)
	b.checkMenus(c)
	b.checkRoutes(c)
	b.checkOutgoing(c)
	b.checkHelp(c)
	b.checkPage(c)
	b.checkPorts(c)
	b.fillPublicURL(c)
}

// checkAny tells of a list without an element.
func (b *builder) checkAny(n int, path, what string) {
	if n == 0 && !b.toldBelow(path) {
		b.add(b.at[path], path, "one %s at least is wanted", what)
	}
}

// named is an element of a list, for the checks of names.
type named struct {
	path, name string
	element    *tree
}

// namesOf returns the names of the elements of a list of the tree.
func namesOf(list *tree) []named {
	var all []named
	if !list.ok() {
		return nil
	}
	for _, item := range list.items {
		if name := item.get("name"); name.ok() {
			all = append(all, named{name.path, name.text, item})
		}
	}
	return all
}

// checkNames tells of names that are there twice.
func (b *builder) checkNames() {
	for _, list := range []string{"networks", "engines", "trunks", "menus", "rooms"} {
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

// refer reads the setting of parent that names an element of a list. Where it says nothing it is the only element
// that fits (all do, if fits is nil), and is put in. It returns "" if there is a problem, or nothing that fits.
func (b *builder) refer(parent *tree, key, list, what string, fits func(*tree) bool) string {
	t := parent.get(key)
	if t != nil {
		return b.lookUp(t, list, what)
	}
	all := namesOf(b.root.get(list))
	if fits != nil {
		all = slices.DeleteFunc(all, func(n named) bool { return !fits(n.element) })
	}
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
	type place struct { // the same address may be somebody else on another network
		network string
		prefix  netip.Prefix
	}
	owner := make(map[place]string)
	for i, t := range b.items("trunks") {
		network := b.refer(t, "network", "networks", "network", nil)
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
			at := place{network, prefix}
			if other, ok := owner[at]; ok {
				b.add(item.at, item.path, "%s is in %s already: whose calls are they?", prefix, other)
				continue
			}
			owner[at] = from.path
		}
	}
	if len(b.items("trunks"))+len(b.items("phones")) == 0 && !b.toldBelow("trunks") && !b.toldBelow("phones") {
		b.warn(b.at["trunks"], "trunks", "there is none: nobody is answered")
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
