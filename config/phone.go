package config

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// phone reads one phone.
func (b *builder) phone(t *tree) Phone {
	password, ha1 := t.get("password"), t.get("ha1")
	switch {
	case password == nil && ha1 == nil:
		b.add(t.at, t.path, "password or ha1 is missing")
	case password != nil && ha1 != nil:
		b.add(ha1.at, ha1.path, "there is password already; one of the two is enough")
	case ha1.ok() && ha1.get("sha256") == nil && ha1.get("md5") == nil:
		b.add(ha1.at, ha1.path, "sha256 or md5 is missing")
	}
	b.inherit(t)
	p := Phone{
		User:     value(b, t.get("user"), parseUser),
		Name:     value(b, t.get("name"), parseDisplay),
		Number:   value(b, t.get("number"), parseNumberOfOurs),
		Password: value(b, password, b.secrets.read),
		HA1: HA1{
			SHA256: value(b, ha1.get("sha256"), b.parseHex(64)),
			MD5:    value(b, ha1.get("md5"), b.parseHex(32)),
		},
		Codecs: values(b, t.get("codecs"), parseCodec),
		Gain:   value(b, t.get("gain"), parseSwitch),
		Gate:   value(b, t.get("gate"), parseSwitch),
		SRTP:   b.srtp(t.get("srtp")),
	}
	if codecs := t.get("codecs"); codecs.ok() && len(codecs.items) == 0 {
		b.add(codecs.at, codecs.path, "one at least is wanted")
	}
	return p
}

// inherit gives a trunk or a phone the settings of sound that it does not have otherwise.
func (b *builder) inherit(t *tree) {
	for _, key := range ofTrunks {
		if all := b.root.get("sound").get(key); t.get(key) == nil && all.ok() {
			t.put(key, all.text)
		}
	}
}

// registrar reads how phones register.
func (b *builder) registrar(t *tree) Registrar {
	r := Registrar{
		Realm:      value(b, t.get("realm"), parseDisplay),
		From:       values(b, t.get("from"), parsePrefix),
		Algorithms: values(b, t.get("algorithms"), parseAlgorithm),
		Least:      value(b, t.get("least"), parseDuration(10*time.Second, 24*time.Hour)),
		Most:       value(b, t.get("most"), parseDuration(time.Minute, 24*time.Hour)),
	}
	if most := t.get("most"); most.ok() && t.get("least").ok() && r.Most < r.Least {
		b.add(most.at, most.path, "it is shorter than least")
	}
	return r
}

// outward reads where a trunk is sent to, and whom it wants there.
func (b *builder) outward(t *tree, k *Trunk) {
	servers, register, digest := t.get("servers"), t.get("register"), t.get("accept").get("digest")
	k.Servers = values(b, servers, parseSIPServer)
	if register.ok() {
		k.Register = &Login{
			User: value(b, register.get("user"), parseUser), Name: value(b, register.get("login"), parseUser),
			Password: value(b, register.get("password"), b.secrets.mustRead),
			Domain:   value(b, register.get("domain"), parseDomain),
			Expires:  value(b, register.get("expires"), parseDuration(time.Minute, 24*time.Hour)),
		}
		if k.Register.Name == "" {
			k.Register.Name = k.Register.User
		}
		if servers == nil {
			b.add(register.at, register.path, "servers is missing: where to?")
		}
	}
	if digest.ok() {
		k.Digest = &Login{User: value(b, digest.get("user"), parseUser), Password: value(b, digest.get("password"), b.secrets.mustRead)}
		if t.get("accept").get("from") == nil {
			b.add(digest.at, digest.path, "from is missing: where may it come from?")
		}
		if t.get("accept").get("certificate") != nil {
			b.add(digest.at, digest.path, "there is certificate already; one of the two is enough")
		}
	}
	switch health := t.get("health"); {
	case health != nil && servers == nil:
		b.add(health.at, health.path, "servers is missing: whose?")
	case health == nil && servers != nil:
		t.put("health", "30s")
	}
	k.Health = value(b, t.get("health"), parseHealth)
}

// checkPhones finds the networks of phones, and tells of two that have one user.
func (b *builder) checkPhones(c *Config) {
	owner := make(map[string]string)
	for _, t := range b.items("trunks") {
		if user := t.get("accept").get("digest").get("user"); user.ok() {
			b.checkUser(user, owner)
		}
	}
	all := b.items("phones")
	for i, t := range all {
		network := b.refer(t, "network", "networks", "network", nil)
		if i < len(c.Live.Phones) {
			c.Live.Phones[i].Network = network
		}
		if user := t.get("user"); user.ok() {
			b.checkUser(user, owner)
		}
	}
	if from := b.root.get("registrar").get("from"); from.ok() && len(from.items) == 0 && len(all) > 0 {
		b.add(from.at, from.path, "one at least is wanted: where are the phones?")
	}
	b.checkAlgorithms(c, all)
}

// checkAlgorithms tells where phones have nothing in common to be asked for.
func (b *builder) checkAlgorithms(c *Config, all []*tree) {
	if sha256, md5 := c.Live.Algorithms(); !sha256 && !md5 && len(all) > 0 && !b.toldBelow("phones") {
		b.add(all[0].at, "phones", "there is no algorithm that every one of them has (ha1, registrar.algorithms): what are they to be asked for?")
	}
}

// Algorithms returns what all phones can be asked for: which of them have one password alone is nobody's business.
func (l *Live) Algorithms() (sha256, md5 bool) {
	sha256 = slices.Contains(l.Registrar.Algorithms, algorithmSHA256)
	md5 = slices.Contains(l.Registrar.Algorithms, algorithmMD5)
	for _, p := range l.Phones {
		if p.Password.IsEmpty() {
			sha256 = sha256 && !p.HA1.SHA256.IsEmpty()
			md5 = md5 && !p.HA1.MD5.IsEmpty()
		}
	}
	return sha256, md5
}

// The algorithms of digests, by their registered names.
const (
	algorithmSHA256 = "SHA-256"
	algorithmMD5    = "MD5"
)

// parseAlgorithm reads the name of one.
func parseAlgorithm(text string) (string, error) {
	for _, name := range []string{algorithmSHA256, algorithmMD5} {
		if strings.EqualFold(text, name) {
			return name, nil
		}
	}
	return "", errors.New("SHA-256 or MD5 is wanted")
}

func (b *builder) checkUser(user *tree, owner map[string]string) {
	if other, ok := owner[user.text]; ok {
		b.add(user.at, user.path, "%s has this user already", other)
		return
	}
	owner[user.text] = strings.TrimSuffix(user.path, ".user")
}

// parseUser reads the user part of an address.
func parseUser(text string) (string, error) {
	if text == "" || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`@<>";:`, r) }) {
		return "", errors.New(`a user of 1 to 64 characters is wanted, without blanks and none of @ < > " ; : in it`)
	}
	return text, nil
}

// parseDisplay reads a text that people read.
func parseDisplay(text string) (string, error) {
	if text == "" || len(text) > 64 || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("a text of 1 to 64 characters is wanted, on one line")
	}
	return text, nil
}

// parseHex returns a function for a secret of n hexadecimal digits.
func (b *builder) parseHex(n int) func(string) (Secret, error) {
	return func(text string) (Secret, error) {
		s, err := b.secrets.read(text)
		if err != nil {
			return Secret{}, err
		}
		if digits := s.Reveal(); len(digits) != n || strings.Trim(strings.ToLower(digits), "0123456789abcdef") != "" {
			return Secret{}, errors.New(strconv.Itoa(n) + " hexadecimal digits are wanted")
		}
		return s, nil
	}
}

// parseHealth reads how often a server is asked; 0 is never.
func parseHealth(text string) (time.Duration, error) {
	if text == "off" {
		return 0, nil
	}
	d, err := parseDuration(5*time.Second, time.Hour)(text)
	if err != nil {
		return 0, errors.New("off or " + err.Error())
	}
	return d, nil
}

// parseDomain reads a host.
func parseDomain(text string) (string, error) {
	if _, err := netip.ParseAddr(text); err != nil && !isHostName(text) {
		return "", errors.New("a host name or an address is wanted")
	}
	return text, nil
}

// parseSIPServer reads where SIP is sent: a URI, or the host of one.
func parseSIPServer(text string) (string, error) {
	wrong := errors.New("a host, host:port or URI is wanted, such as sip.example.org, 192.0.2.1:5080 or sip:sip.example.org;transport=tls")
	uri := text
	if !strings.HasPrefix(uri, "sip:") && !strings.HasPrefix(uri, "sips:") {
		if addr, err := netip.ParseAddr(uri); err == nil && addr.Is6() {
			uri = "[" + uri + "]"
		}
		uri = "sip:" + uri
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	rest, params, has := strings.Cut(rest, ";")
	if has {
		name, transport, _ := strings.Cut(params, "=")
		if name != "transport" || scheme == "sips" || transport != "udp" && transport != "tcp" && transport != "tls" {
			return "", wrong
		}
	}
	host := rest
	if h, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", wrong
		}
		host = h
	}
	if _, err := parseDomain(strings.Trim(host, "[]")); err != nil {
		return "", wrong
	}
	return uri, nil
}
