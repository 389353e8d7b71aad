package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"passerelle/cmd/internal/desk"
)

func TestGateways(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	up := desk.Redis{Up: true, Since: now.Add(-time.Hour)}
	place := map[string][]string{"voice": {"sip:192.0.2.2:5060;transport=tcp"}}
	for _, c := range []struct {
		rule string
		told desk.Gateways
		err  error
		want []string // level, and what is in it
	}{
		{"together", desk.Gateways{Name: "one", Redis: up, Gateways: []desk.Gateway{{Name: "one", Alive: true}, {Name: "two", Alive: true, Places: place}}}, nil,
			[]string{"ok Redis has answered for 1h", "ok gateway two is there"}},
		{"alone", desk.Gateways{Name: "one", Redis: up, Gateways: []desk.Gateway{{Name: "one", Alive: true}, {Name: "two", Ago: 9}}}, nil,
			[]string{"ok Redis", "warn gateway two is gone", "warn no other gateway"}},
		{"nowhere", desk.Gateways{Name: "one", Redis: up, Gateways: []desk.Gateway{{Name: "two", Alive: true}}}, nil,
			[]string{"ok Redis", "warn gateway two does not say where it is"}},
		{"away", desk.Gateways{Name: "one", Redis: desk.Redis{Since: now.Add(-time.Minute), Why: "connection refused"}}, nil,
			[]string{"bad Redis has been away for 1m: connection refused"}},
		{"not asked", desk.Gateways{}, errors.New("404"), []string{"warn how they are together is not known"}},
	} {
		d := New(Config{Now: func() time.Time { return now }, Ask: func(_ context.Context, _, _ string, answer any) error {
			data, err := json.Marshal(c.told)
			if err == nil {
				err = json.Unmarshal(data, answer)
			}
			return errors.Join(err, c.err)
		}})
		s := &sheet{about: "the other gateways"}
		d.gateways(t.Context(), s)
		if len(s.findings) != len(c.want) {
			t.Errorf("%s: %d findings, want %d: %+v", c.rule, len(s.findings), len(c.want), s.findings)
			continue
		}
		for i, f := range s.findings {
			level, what, _ := strings.Cut(c.want[i], " ")
			if f.Level != Level(level) || !strings.HasPrefix(f.What, what) || (f.Level != OK) != (f.Do != "") {
				t.Errorf("%s: %+v, want %s", c.rule, f, c.want[i])
			}
		}
	}
}
