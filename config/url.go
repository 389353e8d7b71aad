package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parseURL reads where browsers find the page.
func parseURL(text string) (*url.URL, error) {
	return parseServer(text, "https://rooms.example.org", "http", "https")
}

// parseOrigin reads whose page it is (RFC 6454): scheme, host and port, as a browser writes them.
func parseOrigin(text string) (string, error) {
	if text == AnyOrigin {
		return text, nil
	}
	u, err := parseServer(text, "https://phone.example.org", "http", "https")
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// parseMeetURL reads where Meet is.
func parseMeetURL(text string) (*url.URL, error) {
	return parseServer(text, "https://visio.example.org", "http", "https")
}

// parseServer reads a URL that names a server, and nothing on it.
func parseServer(text, example string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || !hasHost(u) {
		return nil, errors.New("a URL such as " + example + " is wanted")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("a URL without user, path, query and fragment is wanted, such as " + example)
	}
	u.Path = ""
	return u, nil
}

// parseLiveKitURL reads where a LiveKit cluster is; its path is the prefix that a proxy has put before LiveKit's own.
func parseLiveKitURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"wss", "ws", "https", "http"}, u.Scheme) || !hasHost(u) {
		return nil, errors.New("a URL such as wss://livekit.example.org is wanted")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("a URL without user, query and fragment is wanted, such as wss://livekit.example.org")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	last := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	switch {
	case last == "rtc" || last == "twirp":
		return nil, errors.New("LiveKit's own paths are not part of its URL")
	case u.RawPath != "" || u.JoinPath().Path != u.Path && u.Path != "":
		return nil, errors.New("a plain prefix is wanted after the host, such as wss://example.org/livekit")
	}
	return u, nil
}

// hasHost reports whether u names a host, and a port that there can be or none.
func hasHost(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Hostname() != "" && (u.Port() == "" && !strings.HasSuffix(u.Host, ":") || err == nil && port > 0)
}

// travelsInClear reports whether what goes to u can be read on the way: it is not encrypted, and the host is not
// one of this machine or of a private network, as far as its name says.
func travelsInClear(u *url.URL) bool {
	if u == nil || u.Scheme == "https" || u.Scheme == "wss" {
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		return !addr.IsLoopback() && !addr.IsPrivate() && !addr.IsLinkLocalUnicast()
	}
	// Names without a dot, those of Kubernetes, and the private ones (RFC 6761, 6762, 8375, ICANN's .internal).
	_, top, dotted := cutLast(host, ".")
	private := []string{"localhost", "local", "internal", "svc", "lan", "arpa"}
	return dotted && !slices.Contains(private, strings.ToLower(top))
}

// cutLast is strings.Cut at the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}
