package peers

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"passerelle/cmd/internal/doctor"
)

// Examine runs passerelle doctor on the gateway's configuration.
func (g *Gateway) Examine(t testing.TB, args ...string) []doctor.Finding {
	t.Helper()
	c := exec.Command(Binary(t), append([]string{"doctor", "--config", g.file(), "--json"}, args...)...)
	out, err := c.Output() // that something is bad, is in its exit status as well
	var all []doctor.Finding
	if wrong := json.Unmarshal(out, &all); wrong != nil {
		t.Fatalf("doctor %v says %q: %v, %v", args, out, wrong, err)
	}
	return all
}

// finds fails where there is no finding of a level whose text has this in it.
func finds(t testing.TB, all []doctor.Finding, level doctor.Level, what string) {
	t.Helper()
	for _, f := range all {
		if f.Level == level && strings.Contains(f.What, what) {
			return
		}
	}
	t.Errorf("the doctor has not found that %q is %s: %+v", what, level, all)
}
