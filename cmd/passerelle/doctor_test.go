package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/cmd/internal/doctor"
)

// TestDoctorCommand asks the doctor rightly and wrongly, and looks at the exit status.
func TestDoctorCommand(t *testing.T) {
	const good = `
version: 1
networks: [{name: voice, listen: ["udp://127.0.0.1:0"], media: "127.0.0.1:0-0"}]
engines: [{name: house, embedded: {udp: "127.0.0.1:0", tcp: "off"}}]
trunks: [{name: pbx, accept: {from: [127.0.0.9]}}, {name: carrier, servers: ["sip:127.0.0.9:9;transport=udp"], register: {user: 4711, password: canary-secret}}]
phones: [{user: 2001, password: canary-secret}]
routes: [{from: [pbx], to: "600", echo: on}]
http: {listen: "127.0.0.1:0"}
`
	file := filepath.Join(t.TempDir(), "passerelle.yaml")
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	for path, text := range map[string]string{file: good, broken: "version: 1\ntrunks: [{colour: red}]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"600"}, 0, "from trunk pbx"},
		{[]string{"pbx"}, 0, "it calls us, from 127.0.0.9"},
		{[]string{"carrier", "--wait", "200ms"}, 1, "nobody listens there"},
		{[]string{"2001"}, 1, "only a gateway that runs can tell"},
		{[]string{"601"}, 1, "it leads nowhere"},
		{[]string{"601", "--trunk", "pbx", "--json"}, 1, `"level": "bad"`},
		{[]string{"--config", broken}, 1, "colour"},
		{[]string{"carier"}, 2, `there is no trunk and no phone "carier"`},
		{[]string{"600", "--trunk", "nobody"}, 2, "there is no trunk"},
		{[]string{"pbx", "601"}, 2, "one thing"}, {[]string{"a", "b", "c"}, 2, "one thing"},
		{[]string{"--call"}, 2, "over which trunk"}, {[]string{"carrier", "--call"}, 2, "to whom"},
		{[]string{"--nonsense"}, 2, "unknown flag"}, {[]string{"--config", "/nowhere.yaml"}, 2, "nowhere.yaml"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var out strings.Builder
			c := doctorCommand()
			c.SetOut(&out)
			c.SetErr(&out)
			c.SilenceUsage, c.SilenceErrors = true, true
			c.SetArgs(append([]string{"--config", file}, test.args...))
			err := c.Execute()
			code := 0
			if err != nil {
				code = exitCode(err)
				out.WriteString(err.Error())
			}
			if code != test.code || !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), "canary") {
				t.Errorf("got %d, want %d and %q:\n%s", code, test.code, test.want, &out)
			}
			if strings.Contains(strings.Join(test.args, " "), "--json") {
				var all []doctor.Finding
				if err := json.NewDecoder(strings.NewReader(out.String())).Decode(&all); err != nil || len(all) == 0 {
					t.Errorf("not JSON: %v", err)
				}
			}
		})
	}
}
