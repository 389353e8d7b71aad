package bridge

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"passerelle/config"
	"passerelle/sip/sdp"
)

func TestSecurityOfATrunk(t *testing.T) {
	gcm := []string{"AEAD_AES_128_GCM"}
	for _, c := range []struct {
		rule    string
		srtp    config.SRTP
		exposed bool
		want    sdp.Policy
	}{
		{"off", config.SRTP{Policy: config.SRTPOff}, false, sdp.Plain},
		{"optional", config.SRTP{Policy: config.SRTPOptional, Suites: gcm}, false, sdp.Optional},
		{"required", config.SRTP{Policy: config.SRTPRequired, Suites: gcm}, false, sdp.Required},
		{"optional, keys in clear that are not taken", config.SRTP{Policy: config.SRTPOptional, Suites: gcm}, true, sdp.Plain},
		{"required, and never plain", config.SRTP{Policy: config.SRTPRequired, Suites: gcm}, true, sdp.Required},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := (&Gateway{}).security(c.srtp, c.exposed)
			if got.Policy != c.want || len(c.srtp.Suites) > 0 && !slices.Equal(got.Suites, []sdp.Suite{sdp.AES128GCM}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestSuitesHaveOneName holds that what config knows by name is what sdp speaks, in the same order.
func TestSuitesHaveOneName(t *testing.T) {
	for _, s := range sdp.Suites() {
		file := filepath.Join(t.TempDir(), "passerelle.yaml")
		yaml := "version: 1\ntrunks: [{name: a, accept: {from: [192.0.2.1]}, srtp: " + string(s) + "}]\n"
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Source{Path: file})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Live.Trunks[0].SRTP; got.Policy != config.SRTPRequired || !slices.Equal(got.Suites, []string{string(s)}) {
			t.Errorf("%s: got %+v", s, got)
		}
	}
}
