package config

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redis is where several gateways know of each other.
type Redis struct {
	Address  string // host:port
	TLS      bool   // rediss
	User     string // empty: the default one
	Password Secret // empty, the default: none
	Database int    // 0 by default
	Prefix   string // of all keys; "passerelle:" by default
	Name     string // of this gateway; empty, the default: where it is
}

// redis reads where several gateways know of each other; nil if there is one alone.
func (b *builder) redis(t *tree) *Redis {
	if !t.ok() {
		return nil
	}
	at := t.get("url")
	u := value(b, at, func(text string) (*url.URL, error) {
		u, err := parseRedisURL(text)
		at.open = err == nil // what is wrong may have the password in it
		return u, err
	})
	r := &Redis{
		Password: value(b, t.get("password"), b.secrets.read),
		Prefix:   value(b, t.get("prefix"), parsePrefixOfKeys),
		Name:     value(b, t.get("name"), parseName),
	}
	if u == nil {
		return r
	}
	r.TLS, r.User = u.Scheme == "rediss", u.User.Username()
	r.Address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379"))
	r.Database, _ = strconv.Atoi(strings.TrimPrefix(u.Path, "/")) // it was looked at
	if travelsInClear(u) && !r.TLS {
		b.warn(at.at, at.path, "what the gateways tell each other, and the password, can be read on the way: say rediss://")
	}
	return r
}

// parseRedisURL reads where a Redis is. Its password is a setting of its own.
func parseRedisURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || !hasHost(u) {
		return nil, errors.New("a URL such as redis://10.0.0.5:6379 or rediss://redis.example.org is wanted")
	}
	if _, has := u.User.Password(); has {
		return nil, errors.New("the password is not for the URL, but for state.redis.password")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if n, err := strconv.Atoi(database); database != "" && (err != nil || n < 0 || n > 65535) || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("after the host there is the number of a database or nothing, as in redis://10.0.0.5/1")
	}
	return u, nil
}

// parsePrefixOfKeys reads what the keys of a Redis begin with.
func parsePrefixOfKeys(text string) (string, error) {
	if len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("a text of at most 64 characters is wanted, without blanks")
	}
	return text, nil
}
