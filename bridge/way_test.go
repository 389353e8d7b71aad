package bridge

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
)

// TestTheWayToTheRoomIsToldOfWhereItMatters has the way to the room lost and found again, as talk hears of it.
func TestTheWayToTheRoomIsToldOfWhereItMatters(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	lost, back := ivr.Reconnecting, ivr.ReconnectedBack
	for _, test := range []struct {
		rule   string
		phases []time.Duration // lost, back, lost, ...
		want   []ivr.Prompt
	}{
		{"a session that another replaces at once", []time.Duration{7 * ms}, nil},
		{"shorter than a second", []time.Duration{999 * ms}, nil},
		{"many of those", []time.Duration{900 * ms, 100 * ms, 900 * ms, 100 * ms, 900 * ms}, nil},
		{"longer than a second", []time.Duration{1001 * ms}, []ivr.Prompt{lost, back}},
		{"once, however long", []time.Duration{time.Minute}, []ivr.Prompt{lost, back}},
		{"each of those that last", []time.Duration{2 * time.Second, ms, 7 * ms, ms, 2 * time.Second}, []ivr.Prompt{lost, back, lost, back}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var said []ivr.Prompt
				w := newWay(func(prompts ...ivr.Prompt) *audio.Player {
					said = append(said, prompts...)
					return &audio.Player{}
				})
				defer w.lasts.off()
				for i, length := range test.phases {
					w.change(i%2 == 0)
					w.change(i%2 == 0) // other news of the room
					for over := time.After(length); over != nil; {
						select {
						case <-w.lasts.rings():
							w.tell()
						case <-over:
							over = nil
						}
					}
				}
				w.change(false)
				time.Sleep(time.Minute)
				if w.lasts.rings() != nil {
					t.Error("the alarm is still on")
				}
				if !slices.Equal(said, test.want) {
					t.Errorf("the caller is told %v, want %v", said, test.want)
				}
			})
		})
	}
}
