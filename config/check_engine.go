package config

// isEmbedded reports whether an engine of the tree is our own rooms.
func isEmbedded(engine *tree) bool { return engine.get("embedded") != nil }

// isLiveKit reports whether an engine of the tree is a LiveKit cluster.
func isLiveKit(engine *tree) bool { return engine.get("livekit") != nil }

// engineNamed returns the engine of that name in the tree, nil if there is none.
func (b *builder) engineNamed(name string) *tree {
	for _, n := range namesOf(b.root.get("engines")) {
		if n.name == name {
			return n.element
		}
	}
	return nil
}

// checkEngines tells of a second embedded engine: one page, one house.
func (b *builder) checkEngines() {
	first := ""
	for _, t := range b.root.get("engines").list() {
		embedded := t.get("embedded")
		switch {
		case embedded == nil:
		case first == "":
			first = t.path
		default:
			b.add(embedded.at, embedded.path, "%s is embedded already, and there is one at most", first)
		}
	}
}

// checkPage reads the page's certificate, and warns where browsers would not give a microphone. Where no engine is
// embedded there is no page.
func (b *builder) checkPage(c *Config) {
	page, at := c.Static.HTTP, b.root.get("http")
	b.checkKeyPair(at.get("tls"), page.TLS)
	if b.house() == nil && !b.toldBelow("engines") {
		c.Static.HTTP = HTTP{}
		if at.ok() && at.at.source != "" {
			b.warn(at.at, at.path, "there is no page, since no engine is embedded: nothing of this is used")
		} else {
			delete(b.root.keys, "http")
		}
		return
	}
	listen := at.get("listen")
	local := page.Listen.Addr().IsLoopback()
	if listen.ok() && !local && page.TLS == nil && len(page.BehindProxy) == 0 {
		b.warn(listen.at, listen.path, "the page is served over plain HTTP: browsers on other machines give it no microphone; see http.tls and http.behind_proxy")
	}
}

// house returns the embedded engine of the tree, nil if there is none.
func (b *builder) house() *tree {
	for _, t := range b.root.get("engines").list() {
		if isEmbedded(t) {
			return t
		}
	}
	return nil
}

// fillPublicURL gives the embedded engine the page's URL where it has none of its own.
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
