package sfu

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// origin decides whether a WebSocket comes from our own page. A browser always says which page opened it
// (RFC 6455 section 10.2); every other page, and whoever says nothing, is refused.
type origin struct {
	public string // the origin of PublicURL, lower case; empty for none
}

// newOrigin reads PublicURL, of which only scheme, host and port count.
func newOrigin(publicURL string) (origin, error) {
	if publicURL == "" {
		return origin{}, nil
	}
	u, err := url.Parse(publicURL)
	if err != nil {
		return origin{}, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return origin{}, &url.Error{Op: "parse", URL: publicURL, Err: errNotWeb}
	}
	return origin{public: plain(u)}, nil
}

// allows says whether the page that sent r is ours: the public one, or one at the host that r was sent
// to. Such a host has to be an address or localhost where neither TLS nor PublicURL vouches for a name:
// any page can let its name point to this machine (DNS rebinding), and is then of the same origin.
func (o origin) allows(r *http.Request) bool {
	from, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || from.Host == "" || from.Path != "" {
		return false
	}
	if o.public != "" && plain(from) == o.public {
		return true
	}
	if !strings.EqualFold(from.Host, r.Host) {
		return false
	}
	return r.TLS != nil || isAddress(from.Hostname())
}

// plain returns scheme, host and port, without the port that goes without saying.
func plain(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if h, port, err := net.SplitHostPort(host); err == nil &&
		(u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80") {
		host = h
	}
	return strings.ToLower(u.Scheme) + "://" + host
}

func isAddress(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
