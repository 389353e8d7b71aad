//go:build peers

package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms/livekit/livekittest"
)

// Attendance is who is in a room, as its server tells it.
type Attendance struct {
	Phones    map[string]string // identities and names
	Listeners []string          // identities of the hidden
	Others    []string          // identities
}

// Attend asks a server who is in a room.
func Attend(t testing.TB, server *livekittest.Server, room string) (a Attendance, err error) {
	t.Helper()
	all, err := server.API().List(t.Context(), room)
	a.Phones = map[string]string{}
	for _, p := range all {
		switch {
		case p.GetPermission().GetHidden():
			a.Listeners = append(a.Listeners, p.GetIdentity())
		case p.GetKind() == livekit.ParticipantInfo_SIP:
			a.Phones[p.GetIdentity()] = p.GetName()
		default:
			a.Others = append(a.Others, p.GetIdentity())
		}
	}
	return a, err
}

// AwaitAttendance waits until exactly so many phones and listeners are in a room, and returns who is.
func AwaitAttendance(t testing.TB, server *livekittest.Server, room string, phones, listeners int, within time.Duration) Attendance {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		a, err := Attend(t, server, room)
		if err == nil && len(a.Phones) == phones && len(a.Listeners) == listeners {
			return a
		}
		if time.Now().After(deadline) {
			t.Errorf("after %v room %s has %v (%v), want %d phones and %d listeners", within, room, a, err, phones, listeners)
			return a
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Names returns how many phones have each name.
func (a Attendance) Names() map[string]int {
	n := map[string]int{}
	for _, name := range a.Phones {
		n[name]++
	}
	return n
}

func (a Attendance) String() string {
	return fmt.Sprintf("%d phones %v, %d listeners %v, %d others %v", len(a.Phones), a.Phones, len(a.Listeners), a.Listeners, len(a.Others), a.Others)
}
