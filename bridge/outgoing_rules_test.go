package bridge

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// loaded loads a configuration.
func loaded(t *testing.T, text string) *config.Live {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passerelle.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Source{Path: path, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return &c.Live
}

// TestOutgoingRules: what the configuration says of calls out is what is obeyed, every kind of number included.
func TestOutgoingRules(t *testing.T) {
	var names []string
	for _, kind := range outgoing.Kinds() {
		names = append(names, string(kind))
	}
	rules := OutgoingRules(loaded(t, fmt.Sprintf(`
version: 1
trunks:
  - {name: carrier, servers: sip.carrier.example, numbers: {plan: FR, ours: +33123456700}, limits: {outgoing: {at_once: 2, minutes_a_day: 3, minutes_a_call: 4}}}
outgoing: {via: carrier, who: api, allow: [FR, "+32 2"], kinds: [%s], limits: {at_once: 5, minutes_a_day: 6, minutes_a_call: 7}, zone: Europe/Paris}
`, strings.Join(names, ", "))))
	if !slices.Equal(rules.Kinds, outgoing.Kinds()) || !slices.Equal(rules.Who, []outgoing.Who{outgoing.API}) || rules.Zone.String() != "Europe/Paris" {
		t.Errorf("rules: %+v", rules)
	}
	if want := (outgoing.Limits{AtOnce: 5, MinutesDay: 6, Longest: 7 * time.Minute}); rules.Limits != want {
		t.Errorf("limits: %+v, want %+v", rules.Limits, want)
	}
	if got, want := rules.Trunks["carrier"], (outgoing.Limits{AtOnce: 2, MinutesDay: 3, Longest: 4 * time.Minute}); got != want {
		t.Errorf("limits of the trunk: %+v, want %+v", got, want)
	}
	for number, allowed := range map[string]bool{"0123456789": true, "+3222345678": true, "+3232345678": false, "+4930123456": false} {
		err := rules.Allows(outgoing.Call{By: outgoing.API, Trunk: "carrier", To: outgoing.Read(numbers.Plan{Region: "FR"}, number)})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", number, err)
		}
	}
	to := outgoing.Call{By: outgoing.API, To: outgoing.Phone("2001")}
	if err := OutgoingRules(&config.Live{}).Allows(to); err == nil {
		t.Error("without configuration something may be called")
	}
}
