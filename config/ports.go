package config

import "net/netip"

// ports is what one setting takes of this machine.
type ports struct {
	path        string
	transport   string // "udp" or "tcp"
	addr        netip.Addr
	first, last uint16
}

// overlaps reports whether two settings want the same port. Port 0 is a free one.
func (p ports) overlaps(q ports) bool {
	if p.transport != q.transport || p.first == 0 || q.first == 0 || !p.addr.IsValid() || !q.addr.IsValid() {
		return false
	}
	same := p.addr == q.addr || p.addr.IsUnspecified() || q.addr.IsUnspecified()
	return same && p.first <= q.last && q.first <= p.last
}

// checkPorts tells of ports that two settings want.
func (b *builder) checkPorts(c *Config) {
	var taken []ports
	take := func(p ports) {
		for _, other := range taken {
			if p.overlaps(other) {
				if b.at[p.path].source == "" { // the default is not what is wrong
					p, other = other, p
				}
				b.add(b.at[p.path], p.path, "%s wants the same %s port", other.path, p.transport)
				return
			}
		}
		taken = append(taken, p)
	}
	one := func(path, transport string, addr netip.AddrPort) {
		take(ports{path, transport, addr.Addr(), addr.Port(), addr.Port()})
	}
	var media []ports
	for i, t := range b.items("networks") {
		if i >= len(c.Static.Networks) {
			break
		}
		n := c.Static.Networks[i]
		next := 0 // in n.Listen, which lacks what is broken
		for _, item := range t.get("listen").list() {
			if item.ok() {
				transport := "tcp"
				if n.Listen[next].Transport == "udp" {
					transport = "udp"
				}
				one(item.path, transport, n.Listen[next].Addr)
				next++
			}
		}
		media = append(media, ports{join(t.path, "media"), "udp", n.Media.Addr, n.Media.First, n.Media.Last})
		take(media[i])
	}
	b.checkRanges(media, c.Live.Limits.Calls)
	for i, t := range b.items("engines") {
		if i >= len(c.Static.Engines) {
			break
		}
		if e, path := c.Static.Engines[i].Embedded, join(t.path, "embedded"); e != nil {
			one(join(path, "udp"), "udp", e.UDP)
			one(join(path, "tcp"), "tcp", e.TCP)
		}
		if l := c.Static.Engines[i].LiveKit; l != nil {
			take(ports{join(t.path, "livekit.udp"), "udp", l.UDP.Addr, l.UDP.First, l.UDP.Last})
		}
	}
	one("http.listen", "tcp", c.Static.HTTP.Listen)
	if c.Static.Admin != nil {
		one("admin.listen", "tcp", c.Static.Admin.Listen)
	}
}

// checkRanges warns where there are fewer pairs of ports than calls.
func (b *builder) checkRanges(media []ports, calls int) {
	pairs := 0
	for _, m := range media {
		if m.first == 0 {
			return
		}
		even := int(m.first) + int(m.first)%2
		pairs += (int(m.last) + 1 - even) / 2
	}
	if len(media) > 0 && pairs < calls {
		b.warn(b.at[media[0].path], media[0].path, "ports for %d calls, and limits.calls is %d", pairs, calls)
	}
}
