package bridge

import (
	"strings"

	"passerelle/config"
	"passerelle/sip"
)

// identity is what a caller is known by in the room: by nothing where it is withheld.
type identity struct {
	display, user string
	// diverted is the number that was called first, where the call was sent on from there; "" if it was not.
	diverted string
}

// identify finds out who calls.
func identify(invite sip.Invite, trunk *config.Trunk) identity {
	return headers{invite.Header, trunk.Trusted}.identity(invite.From, invite.RequestURI.User)
}

// headers are those of an INVITE, from a trunk that is believed or not. What a network asserts, P-Asserted-Identity (RFC
// 3325) or, from older equipment, Remote-Party-ID, and where it says the call was diverted (RFC 5806, RFC 7044), is
// read from trusted trunks only: others could say anything. A wish for privacy is everybody's.
type headers struct {
	get     func(name string) []string
	trusted bool
}

// identity is the caller, from its From, of a call to a number.
func (h headers) identity(from sip.Address, called string) identity {
	who := identity{display: from.Display, user: from.User}
	if h.trusted {
		if d, u, ok := h.first("P-Asserted-Identity", "Remote-Party-ID"); ok {
			who.display, who.user = d, u
		}
		// Of Diversion the first, who did it last; of History-Info the first, who was called in the beginning.
		if _, who.diverted, _ = h.first("Diversion", "History-Info"); who.diverted == called {
			who.diverted = "" // a history of one: nothing happened
		}
	}
	if h.withheld() {
		who.display, who.user = "", ""
	}
	return who
}

// withheld reports whether the caller does not want to be known: Privacy asks for the service id or user (RFC 3323,
// RFC 3325 section 9.3), or a Remote-Party-ID that is believed says so.
func (h headers) withheld() bool {
	for _, value := range h.get("Privacy") {
		for wish := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			switch strings.ToLower(wish) {
			case "id", "user", "full":
				return true
			}
		}
	}
	if !h.trusted {
		return false
	}
	for _, value := range h.get("Remote-Party-ID") {
		switch strings.ToLower(paramOf(value, "privacy")) {
		case "full", "name", "uri":
			return true
		}
	}
	return false
}

// first reads the first address that can be read in the headers of these names.
func (h headers) first(names ...string) (display, user string, ok bool) {
	for _, name := range names {
		for _, value := range h.get(name) {
			if display, user, ok = asserted(value); ok {
				return display, user, true
			}
		}
	}
	return "", "", false
}

// paramOf returns a parameter of the first address in a header value, "" if it has none.
func paramOf(value, name string) string {
	if _, after, found := strings.Cut(value, ">"); found {
		value = after
	}
	value, _, _ = strings.Cut(value, ",")
	for p := range strings.SplitSeq(value, ";") {
		key, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// asserted reads the first address of a header that lists them (RFC 3325 section 9.1): a SIP or a tel URI.
func asserted(value string) (display, user string, ok bool) {
	uri := strings.TrimSpace(value)
	if quoted, found := strings.CutPrefix(uri, `"`); found {
		if display, uri, found = strings.Cut(quoted, `"`); !found {
			return "", "", false
		}
	}
	if before, inside, found := strings.Cut(uri, "<"); found {
		if uri, _, found = strings.Cut(inside, ">"); !found {
			return "", "", false
		}
		if display == "" {
			display = strings.TrimSpace(before)
		}
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	switch strings.ToLower(strings.TrimSpace(scheme)) {
	case "sip", "sips":
		user, _, ok = strings.Cut(rest, "@")
	case "tel":
		user, ok = rest, true
	}
	user, _, _ = strings.Cut(user, ";")
	return display, user, ok && user != ""
}
