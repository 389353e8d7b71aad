package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// LiveKit is what a gateway's configuration says of a cluster. Three engines are made of it, beside the
// embedded one: "lk" for rooms that are dialled by their name, "lk-..." or a meeting's UUID, "brief" for "brief-...", where a
// phone may be alone for [BriefAlone] and a call lasts [BriefCall], and "visio" where there is a Meet.
type LiveKit struct {
	URL, Key, Secret string
	Meet             string // its URL; without it there is no menu
	RoomkitToken     string
}

// What a call may do in a room of engine "brief".
const (
	BriefAlone = 3 * time.Second
	BriefCall  = 9 * time.Second
)

// LobbyTimeout is how long a phone knocks at a meeting of engine "visio".
const LobbyTimeout = 10 * time.Second

// Switchboard is the number of the menu that asks for a PIN. A PIN that is dialled goes there too.
const Switchboard = "0123456789"

// fill adds what the configuration's template wants to know.
func (l *LiveKit) fill(t testing.TB, dir string, calls int, values map[string]any) {
	t.Helper()
	values["LiveKit"], values["Menus"], values["Switchboard"] = nil, false, Switchboard
	if l == nil {
		return
	}
	values["LiveKit"] = map[string]any{
		"Alone": BriefAlone, "Knocks": LobbyTimeout, "Most": BriefCall, "URL": l.URL, "Key": l.Key, "Meet": l.Meet,
		"SecretFile": secretFile(t, dir, "livekit.secret", l.Secret), "TokenFile": secretFile(t, dir, "roomkit.token", l.RoomkitToken),
	}
	first := Ports(t, 2*calls) // one a call, and one a room
	values["UDP"] = fmt.Sprintf("%s-%d", netip.AddrPortFrom(Loopback(), first), first+uint16(2*calls)-1)
	values["Menus"] = l.Meet != ""
}

// secretFile writes a secret where the configuration finds it, and returns where.
func secretFile(t testing.TB, dir, name, secret string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatalf("write a secret: %v", err)
	}
	return path
}
