package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Transfer is whether calls of a trunk are transferred, and to whom. The zero Transfer is refuse.
type Transfer struct {
	Allowed bool           // to rooms that its routes lead to, to the addresses that the trunk calls from, and to those below
	Trunks  []string       // to the addresses of these
	Nets    []netip.Prefix // to these addresses
	Hosts   []string       // to these host names, in lower case
}

// transfer reads refuse, allow, or whom to call: trunks, addresses and hosts.
func (b *builder) transfer(t *tree) Transfer {
	var x Transfer
	if t.ok() && len(t.items) == 0 {
		b.add(t.at, t.path, "one word at least is wanted")
	}
	refused := false
	for i, word := range values(b, t, anyText) {
		at := t
		if i < len(t.items) {
			at = t.items[i]
		}
		prefix, err := parsePrefix(word)
		switch {
		case word == "refuse":
			refused = true
		case word == "allow":
		case err == nil:
			x.Nets = append(x.Nets, prefix)
		case slices.ContainsFunc(b.root.get("trunks").list(), func(k *tree) bool { return k.get("name").ok() && k.get("name").text == word }):
			x.Trunks = append(x.Trunks, word)
		case strings.Contains(word, ".") && !strings.ContainsAny(word, "/:@ "):
			x.Hosts = append(x.Hosts, strings.ToLower(word))
		default:
			b.add(at.at, at.path, "refuse, allow, the name of a trunk, a host name, an address or a CIDR is wanted, here is %s", quoted(word))
		}
	}
	x.Allowed = t.ok() && !refused
	if refused && len(t.items) > 1 {
		b.add(t.at, t.path, "they are refused, and others are named")
	}
	return x
}
