package config

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
)

// weakSuites are the suites that a trunk may speak beside those that everybody does, by their registered names: all others
// of TLS 1.2 that there are.
func weakSuites() map[string]uint16 {
	all := make(map[string]uint16)
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && !strongSuite(s.Name) {
			all[s.Name] = s.ID
		}
	}
	return all
}

// strongSuite reports whether a suite of TLS 1.2 has ephemeral keys and authenticated encryption.
func strongSuite(name string) bool {
	return strings.HasPrefix(name, "TLS_ECDHE_") && (strings.Contains(name, "_GCM_") || strings.Contains(name, "_POLY1305"))
}

// parseSuite reads the name of a suite of TLS 1.2.
func parseSuite(text string) (uint16, error) {
	known := weakSuites()
	name := strings.ToUpper(text)
	if id, ok := known[name]; ok {
		return id, nil
	}
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names) // of two that are as near it is always the same
	if slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name }) {
		return 0, errors.New("a weaker suite of TLS 1.2 is wanted, this one is spoken with everybody")
	}
	if near := nearest(name, names); near != "" {
		return 0, errors.New("the name of a suite of TLS 1.2 is wanted, perhaps " + near)
	}
	return 0, errors.New("the name of a suite of TLS 1.2 is wanted, such as TLS_RSA_WITH_AES_128_GCM_SHA256")
}

// suites reads the weaker suites of a trunk. Whose connection it is must be known before its handshake: by its address.
func (b *builder) suites(t *tree) []uint16 {
	list := t.get("tls").get("suites")
	all := values(b, list, parseSuite)
	for i, suite := range all {
		if slices.Contains(all[:i], suite) {
			b.add(list.at, list.path, "%s is there twice", tls.CipherSuiteName(suite))
		}
	}
	switch accept := t.get("accept"); {
	case !list.ok():
	case len(list.items) == 0:
		b.add(list.at, list.path, "one at least is wanted")
	case accept.get("from") == nil && accept.get("certificate") != nil:
		b.add(list.at, list.path, "accept.from is wanted: whose connection it is must be known before it shows a certificate")
	}
	return all
}

// checkSuites tells where weaker suites must not be, and that they are weaker.
func (b *builder) checkSuites(c *Config) {
	for i, t := range b.items("trunks") {
		list := t.get("tls").get("suites")
		if !list.ok() || i >= len(c.Live.Trunks) {
			continue
		}
		network := c.Live.Trunks[i].Network
		if slices.ContainsFunc(c.Static.Networks, func(n Network) bool { return n.Name == network && n.ANSSI }) {
			b.add(list.at, list.path, "the network %s has profile: anssi, which has no weaker suites", quoted(network))
			continue
		}
		for _, item := range list.items {
			if item.ok() {
				b.warn(item.at, item.path, "%s is weak: %s", strings.ToUpper(item.text), weakness(strings.ToUpper(item.text)))
			}
		}
	}
}

// weakness says what a suite lacks.
func weakness(name string) string {
	switch {
	case strings.Contains(name, "_RC4_"), strings.Contains(name, "_3DES_"):
		return "its cipher is broken"
	case strings.HasPrefix(name, "TLS_RSA_"):
		return "whoever gets the private key can read what was recorded before"
	}
	return "its encryption is not authenticated as a whole (CBC)"
}
