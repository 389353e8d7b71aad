package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// builder turns the tree into typed values.
type builder struct {
	*problems
	root      *tree
	addresses addresses
	secrets   secrets
	at        map[string]origin // by path
}

// value reads one scalar; the zero value if there is none or it is wrong, which is told.
func value[T any](b *builder, t *tree, parse func(string) (T, error)) T {
	var zero T
	if !t.ok() {
		return zero
	}
	v, err := parse(t.text)
	if err == nil {
		t.forget()
		return v
	}
	t.broken = true
	if t.setting.secret {
		b.add(t.at, t.path, "%s", err)
	} else {
		b.add(t.at, t.path, "%s, here is %s", err, quoted(t.text))
	}
	return zero
}

// forget takes the text of a secret out of the tree, now that the Secret has it; where it came from stays.
func (t *tree) forget() {
	if t.setting.secret && !t.open && !strings.HasPrefix(t.text, filePrefix) && !strings.HasPrefix(t.text, envPrefix) {
		t.text = redacted
	}
}

// each reads every element of a list, and leaves out what is wrong.
func each[T any](t *tree, read func(*tree) T) []T {
	if !t.ok() {
		return nil
	}
	var all []T
	for _, item := range t.items {
		if !item.ok() {
			continue
		}
		if v := read(item); item.ok() {
			all = append(all, v)
		}
	}
	return all
}

// values reads a list of scalars.
func values[T any](b *builder, t *tree, parse func(string) (T, error)) []T {
	return each(t, func(item *tree) T { return value(b, item, parse) })
}

func anyText(text string) (string, error) { return text, nil }

// build reads the whole tree. What names another setting is left for check to find.
func (b *builder) build(root *tree) *Config {
	b.mark(root)
	value(b, root.get("version"), parseVersion)
	for _, key := range ofTrunks {
		value(b, root.get("sound").get(key), parseSwitch)
	}
	c := &Config{
		Static: Static{
			Networks: each(root.get("networks"), b.network),
			Engines:  each(root.get("engines"), b.engine),
			HTTP:     b.http(root.get("http")),
			Admin:    b.admin(root.get("admin")),
			Sound:    Sound{Limiter: value(b, root.get("sound").get("limiter"), parseSwitch)},
			State:    value(b, root.get("state").get("dir"), b.secrets.folderOf),
			Voices:   b.voices(root.get("voices")),
			Redis:    b.redis(root.get("state").get("redis")),
		},
		Live: Live{
			Trunks:    each(root.get("trunks"), b.trunk),
			Phones:    each(root.get("phones"), b.phone),
			Registrar: b.registrar(root.get("registrar")),
			Menus:     each(root.get("menus"), b.menu),
			Rooms:     each(root.get("rooms"), b.room),
			Routes:    each(root.get("routes"), b.route),
			Emergency: value(b, root.get("emergency").get("numbers"), parseRegion),
			Outgoing:  b.outgoing(root.get("outgoing")),
			Limits: Limits{
				Calls:            value(b, root.get("limits").get("calls"), parseNumber(1, 100000)),
				GuessesPerMinute: value(b, root.get("limits").get("guesses_a_minute"), parseNumber(1, 1000)),
			},
			Drain: value(b, root.get("drain"), parseDuration(0, 24*time.Hour)),
			Log:   Log{Level: value(b, root.get("log").get("level"), parseLevel)},
		},
	}
	if keys := b.keys(root.get("keys")); keys != nil {
		c.Live.Keys = *keys
	}
	return c
}

// mark notes where everything comes from.
func (b *builder) mark(t *tree) {
	b.at[t.path] = t.at
	for _, item := range t.items {
		b.mark(item)
	}
	for _, child := range t.keys {
		b.mark(child)
	}
}

func (b *builder) network(t *tree) Network {
	n := Network{
		Name:      value(b, t.get("name"), parseName),
		Listen:    values(b, t.get("listen"), b.addresses.parseListener),
		Advertise: value(b, t.get("advertise"), parseAdvertise),
		Media:     value(b, t.get("media"), b.addresses.parseMedia),
		DNS:       values(b, t.get("dns"), parseDNS),
		TLS:       b.tls(t.get("tls")),
		ANSSI:     value(b, t.get("tls").get("profile"), parseProfile),
		Origins:   values(b, t.get("origins"), parseOrigin),
	}
	if listen := t.get("listen"); listen.ok() && len(listen.items) == 0 {
		b.add(listen.at, listen.path, "one address at least is wanted")
	}
	if !n.Media.Addr.IsValid() && len(n.Listen) > 0 {
		n.Media.Addr = n.Listen[0].Addr.Addr()
	}
	return n
}

func (b *builder) http(t *tree) HTTP {
	return HTTP{
		Listen:      value(b, t.get("listen"), b.addresses.parseAddrPort),
		BehindProxy: values(b, t.get("behind_proxy"), parsePrefix),
		PublicURL:   value(b, t.get("public_url"), parseURL),
		TLS:         b.tls(t.get("tls")),
	}
}

func (b *builder) admin(t *tree) *Admin {
	if !t.ok() {
		return nil
	}
	a := &Admin{Listen: value(b, t.get("listen"), b.addresses.parseAddrPort), Token: value(b, t.get("token"), b.secrets.read)}
	if listen := t.get("listen"); listen.ok() && !a.Listen.Addr().IsLoopback() && t.get("token") == nil {
		b.add(listen.at, listen.path, "others than this machine could ask: admin.token is wanted")
	}
	return a
}

// ofTrunks are the settings of sound that a trunk may have otherwise.
//
//nolint:gochecknoglobals // a constant, but for the language
var ofTrunks = [...]string{"gain", "gate"}

func (b *builder) trunk(t *tree) Trunk {
	accept := t.get("accept")
	from, certificate := accept.get("from"), accept.get("certificate")
	switch {
	case accept == nil && t.get("servers") == nil:
		b.add(t.at, t.path, "accept is missing")
	case accept.ok() && from == nil && certificate == nil:
		b.add(accept.at, accept.path, "from or certificate is missing")
	}
	b.inherit(t)
	k := Trunk{
		Name:        value(b, t.get("name"), parseName),
		From:        values(b, from, parsePrefix),
		Certificate: b.certificate(certificate),
		Trusted:     value(b, t.get("trusted"), parseBool),
		Codecs:      values(b, t.get("codecs"), parseCodec),
		Gain:        value(b, t.get("gain"), parseSwitch),
		Gate:        value(b, t.get("gate"), parseSwitch),
		Calls:       value(b, t.get("limits").get("calls"), parseNumber(0, 100000)),
		CallsOut:    b.callLimits(t.get("limits").get("outgoing")),
		SRTP:        b.srtp(t.get("srtp")),
		Suites:      b.suites(t),
		DTMF:        value(b, t.get("dtmf"), parseDTMF),
		Numbers:     b.numbers(t.get("numbers")),
		Transfer:    b.transfer(t.get("transfer")),
		Language:    value(b, t.get("language"), parseLanguage),
		Keys:        b.keys(t.get("keys")),
	}
	b.outward(t, &k)
	b.presents(t, &k)
	for _, list := range []*tree{from, t.get("codecs"), t.get("servers")} {
		if list.ok() && len(list.items) == 0 {
			b.add(list.at, list.path, "one at least is wanted")
		}
	}
	return k
}

func (b *builder) menu(t *tree) Menu {
	languages, pin := t.get("languages"), t.get("pin")
	m := Menu{
		Name:        value(b, t.get("name"), parseName),
		Languages:   values(b, languages, parseLanguage),
		Digits:      value(b, pin.get("digits"), parseDigits),
		Tries:       value(b, pin.get("tries"), parseNumber(1, 10)),
		WaitForHost: value(b, t.get("before_host"), parseBeforeHost),
		Keys:        b.keys(t.get("keys")),
	}
	if languages.ok() && len(languages.items) == 0 {
		b.add(languages.at, languages.path, "one at least is wanted")
	}
	for i, language := range m.Languages {
		if slices.Contains(m.Languages[:i], language) {
			b.add(languages.at, languages.path, "%s is there twice", language)
		}
	}
	return m
}

func (b *builder) room(t *tree) Room {
	return Room{
		Name:     value(b, t.get("name"), parseRoomName),
		Password: value(b, t.get("password"), b.secrets.read),

		PIN:          value(b, t.get("pin"), b.parseOwnPIN),
		ModeratorPIN: value(b, t.get("moderator").get("pin"), b.parseOwnPIN),

		ModeratorPassword: value(b, t.get("moderator").get("password"), b.secrets.read),
		WaitingRoom:       value(b, t.get("waiting_room"), parseBool),
		WaitingTimeout:    value(b, t.get("waiting_timeout"), parseDuration(10*time.Second, time.Hour)),
		KeepMuted:         value(b, t.get("unmute"), parseUnmute),
		Announce:          value(b, t.get("announce"), parseAnnounce),
	}
}

// parseOwnPIN reads the PIN of a room.
func (b *builder) parseOwnPIN(text string) (Secret, error) {
	secret, err := b.secrets.read(text)
	if err != nil {
		return Secret{}, err
	}
	pin := secret.Reveal()
	if len(pin) < leastPIN || len(pin) > mostPIN || strings.Trim(pin, "0123456789") != "" {
		return Secret{}, fmt.Errorf("%d to %d digits are wanted", leastPIN, mostPIN)
	}
	return secret, nil
}

// parseRoom returns a function for where a route leads: a room's name, or with an expression a template for one.
func parseRoom(expression *regexp.Regexp) func(string) (string, error) {
	if expression == nil {
		return parseRoomName
	}
	return parseTemplate(expression)
}

// parsePhone returns a function for the phone that a route leads to, likewise.
func parsePhone(expression *regexp.Regexp) func(string) (string, error) {
	if expression == nil {
		return parseUser
	}
	return func(text string) (string, error) {
		plain, _, err := skeleton(expression, text, "0")
		if err != nil {
			return "", err
		}
		_, err = parseUser(plain)
		return text, err
	}
}

// parsePIN returns a function for the PIN of a route: digits, or with an expression a template for some. What
// holds nothing but groups is no secret, and stays to be seen.
func (b *builder) parsePIN(t *tree, expression *regexp.Regexp) func(string) (Secret, error) {
	return func(text string) (Secret, error) {
		secret, err := b.secrets.read(text)
		if err != nil {
			return Secret{}, err
		}
		plain, own, err := skeleton(expression, secret.Reveal(), "0")
		switch {
		case err != nil:
			return Secret{}, err
		case strings.Trim(plain, "0123456789") != "", expression != nil && strings.Contains(secret.Reveal(), "$$"):
			return Secret{}, errors.New("digits are wanted, or with to_match a group such as $1")
		case len(plain) > mostPIN:
			return Secret{}, fmt.Errorf("more than %d digits", mostPIN)
		}
		t.open = own == 0
		return secret, nil
	}
}

// parseExpression compiles a regular expression that must match all of a text.
func parseExpression(text string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(text); err != nil { // as it was written, for the message
		return nil, err
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}
