package meet

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"passerelle/config"
)

// guide is docs/visio.md.
func guide(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/visio.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// blocks returns the guide's examples of one kind: ```yaml KIND.
func blocks(t *testing.T, kind string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```yaml (\\w+)\n(.*?)^```$").FindAllStringSubmatch(guide(t), -1) {
		if m[1] == kind {
			found = append(found, m[2])
		}
	}
	if len(found) == 0 {
		t.Fatalf("docs/visio.md has no example of %s", kind)
	}
	return found
}

// documents reads a YAML text of one document or more.
func documents(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var one map[string]any
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		all = append(all, one)
	}
}

// loads fails unless the gateway would start with a configuration, without a warning, its secrets being there.
func loads(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("of-tests-only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`file:/run/secrets/\w+`).ReplaceAllLiteralString(text, "file:"+file)
	path := filepath.Join(dir, "passerelle.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Source{Path: path, LookupEnv: func(key string) (string, bool) {
		return "of-tests-only", strings.HasPrefix(key, "LIVEKIT_") || strings.HasPrefix(key, "ROOMKIT_")
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings {
		t.Errorf("warning: %s", w)
	}
}

// TestGuideGateway loads what the guide writes into the gateway's file, alone and within Kubernetes.
func TestGuideGateway(t *testing.T) {
	for _, text := range blocks(t, "gateway") {
		loads(t, text)
	}
	for _, text := range blocks(t, "kubernetes") {
		for _, d := range documents(t, text) {
			if d["kind"] == "ConfigMap" {
				loads(t, d["data"].(map[string]any)["passerelle.yaml"].(string))
			}
		}
	}
}

// TestGuideYAML reads the rest of the guide's examples: what they are about is at the top of each.
func TestGuideYAML(t *testing.T) {
	for kind, keys := range map[string][]string{
		"compose": {"services"}, "livekit": {"redis", "keys", "webhook"}, "helm": {"backend", "livekit"}, "kubernetes": {"kind"},
	} {
		for _, text := range blocks(t, kind) {
			for _, d := range documents(t, text) {
				known := 0
				for _, key := range keys {
					if _, ok := d[key]; ok {
						known++
					}
				}
				if known == 0 {
					t.Errorf("%s: none of %v in\n%s", kind, keys, text)
				}
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^```yaml *$").FindAllString(guide(t), -1) {
		t.Errorf("%q: an example that no test reads", m)
	}
}

// TestGuideTroubles holds that the log says what the guide says that it says.
func TestGuideTroubles(t *testing.T) {
	var code strings.Builder
	for _, dir := range []string{".", "../../rooms", "../livekit", "../../bridge", "../../bridge/ivr", "../../bridge/guess", "../../sip"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(data)
		}
	}
	_, table, found := strings.Cut(guide(t), "| symptom |")
	if !found {
		t.Fatal("the guide has lost its table of symptoms")
	}
	said := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			said++
			if !strings.Contains(code.String(), m[1]) {
				t.Errorf("nothing says %q", m[1])
			}
		}
	}
	if said < 15 {
		t.Errorf("the table quotes the log %d times", said)
	}
}
