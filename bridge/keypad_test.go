package bridge

import (
	"strings"
	"testing"

	"passerelle/codec"
	"passerelle/codec/dtmf"
	"passerelle/config"
	"passerelle/rooms"
)

// phoneID returns the seat of the only phone in a room.
func phoneID(t *testing.T, roster []rooms.Participant) string {
	t.Helper()
	id := ""
	for _, someone := range roster {
		if someone.Kind == rooms.Phone {
			if id != "" {
				t.Fatal("there are two phones in the room")
			}
			id = someone.ID
		}
	}
	return id
}

// What the room dials reaches the phone: as events, or as tones where the phone takes none.
func TestTheRoomDials(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	host := r.backend.Join("lobby", "host")
	p, err := r.call("lobby", codec.PCMA)
	must(t, p, err)
	for _, digits := range []string{"12#", "*0D9"} {
		if err := host.SendPhone(phoneID(t, host.Roster()), rooms.Event{Kind: rooms.Digit, Text: digits}); err != nil {
			t.Fatal(err)
		}
	}
	p.awaitKeys("12#*0D9")
}

func TestTheRoomDialsInTones(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	host := r.backend.Join("lobby", "host")
	ada := r.late()
	ada.send("ACK", 1, withoutEvents(ada.take(ada.call())))
	if err := host.SendPhone(phoneID(t, host.Roster()), rooms.Event{Kind: rooms.Digit, Text: "12#*0d99"}); err != nil {
		t.Fatal(err)
	}
	want := "12#*0D99"
	eventually(t, "the tones heard", func() bool {
		ada.mu.Lock()
		defer ada.mu.Unlock()
		heard := ""
		dtmf.NewDetector(rateOf(ada.kind)).Hear(ada.heard, func(key rune) { heard += string(key) })
		if !strings.HasPrefix(want, heard) {
			t.Fatalf("%q is heard, want %q", heard, want)
		}
		return heard == want
	})
	ada.awaitKeys("")
}

// withoutEvents takes telephone-event out of a description.
func withoutEvents(body string) string {
	var kept strings.Builder
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "m=audio") {
			line = strings.Replace(line, " 101", "", 1)
		}
		if !strings.Contains(line, ":101 ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// TestKeysAsTones has a phone press 5 as a tone, and 9 in INFO when the tone is over.
func TestKeysAsTones(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule   string
		dtmf   config.DTMF
		events bool
		allow  string
		want   string
	}{
		{"auto: there is no other way", config.DTMFAuto, false, "INVITE, ACK, BYE", "59"},
		{"auto: there is INFO", config.DTMFAuto, false, "INVITE, ACK, BYE, INFO", "9"},
		{"auto: there are events", config.DTMFAuto, true, "INVITE, ACK, BYE", "9"},
		{"inband: whatever there is", config.DTMFInband, true, "INVITE, INFO", "59"},
		{"off: whatever is missing", config.DTMFOff, false, "INVITE", "9"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(live *config.Live) { live.Trunks[0].DTMF = test.dtmf })
			host := r.backend.Join("lobby", "host")
			ada := r.late()
			ada.send("INVITE", 1, "", "Allow: "+test.allow)
			answer := ada.take(ada.join(ada.await("SIP/2.0 200")))
			if !test.events {
				answer = withoutEvents(answer)
			}
			ada.send("ACK", 1, answer)
			tone, err := tones(rateOf(ada.media.Kind), "5")
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan struct{})
			stop := ada.sounds(func(at int) int16 {
				if at >= len(tone) {
					if at == len(tone)+2*160 {
						close(over)
					}
					return 0
				}
				return tone[at]
			})
			defer stop()
			<-over
			ada.send("INFO", 2, "Signal=9\r\n")
			ada.await("SIP/2.0 200 OK\r\n")
			got := func() (keys string) {
				for _, m := range host.Messages(phoneID(t, host.Roster())) {
					if m.Kind == rooms.Digits {
						keys += m.Text
					}
				}
				return keys
			}
			eventually(t, "the key of the INFO in the room", func() bool { return strings.HasSuffix(got(), "9") })
			if got() != test.want {
				t.Errorf("the room is told %q, want %q", got(), test.want)
			}
		})
	}
}
