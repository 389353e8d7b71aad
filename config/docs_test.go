package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocument holds docs/configuration.md to the code: what is between its marks is written from the schema.
func TestDocument(t *testing.T) {
	const path = "../docs/configuration.md"
	const begin, end = "<!-- written by go test ./config -update -->\n", "<!-- end -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has lost its marks", path)
	}
	want := before + begin + document() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("%s does not say what the code does: go test ./config -update", path)
	}
}

// document is the schema as tables.
func document() string {
	var b strings.Builder
	var later []string
	b.WriteString("\n| setting | what it may be | without it | |\n|---|---|---|---|\n")
	schema().walk("", func(path string, s *setting) {
		if s.later {
			later = append(later, "`"+path+"`")
			return
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", path, cell(allowed(s)), cell(without(s)), cell(s.doc))
	})
	b.WriteString("\nNot supported yet, and refused by name: " + strings.Join(later, ", ") + ".\n")
	b.WriteString("\n| setting | environment | flag |\n|---|---|---|\n")
	for _, path := range schema().overrides() {
		fmt.Fprintf(&b, "| `%s` | `%s` | `--%s` |\n", path, envName(path), flagName(path))
	}
	return b.String() + "\n"
}

func allowed(s *setting) string {
	switch s.is {
	case scalars:
		return "list of: " + s.values
	case mappings:
		return "list of settings"
	case mapping:
		return "settings"
	}
	return s.values
}

func without(s *setting) string {
	switch {
	case s.required:
		return "an error"
	case s.means != "":
		return s.means
	case s.unset == "{}":
		return "as below"
	case s.unset == "[]":
		return "none"
	case s.unset != "":
		return "`" + s.unset + "`"
	}
	return "none"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// TestEverySettingIsDescribed holds that the schema says of every setting what it needs to say.
func TestEverySettingIsDescribed(t *testing.T) {
	schema().walk("", func(path string, s *setting) {
		if s.later {
			return
		}
		if s.doc == "" || !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s: %q is no sentence", path, s.doc)
		}
		if (s.is == scalar || s.is == scalars) && s.values == "" {
			t.Errorf("%s: nothing says what it may be", path)
		}
		if s.override && (s.is != scalar || strings.Contains(path, "[")) {
			t.Errorf("%s cannot come from outside", path)
		}
	})
}

// TestSample loads docs/passerelle.yaml, which shows every setting.
func TestSample(t *testing.T) {
	data, err := os.ReadFile("../docs/passerelle.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	writeCertificate(t)
	for _, secret := range []string{"board.txt", "roomkit.txt"} {
		if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("passerelle.yaml", data, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(source(t, "HALL_PASSWORD=parolier\nLIVEKIT_API_KEY=key\nLIVEKIT_API_SECRET=sesame\n", nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %s", c.Warnings)
	}
	schema().walk("", func(path string, s *setting) {
		if !s.later && !strings.Contains(string(data), s.key+":") {
			t.Errorf("it does not show %s", path)
		}
	})
}

// TestLiveKitExample loads the example of docs/livekit.md, with secrets where it names some.
func TestLiveKitExample(t *testing.T) {
	data, err := os.ReadFile("../docs/livekit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("docs/livekit.md has lost its example")
	}
	t.Chdir(t.TempDir())
	writeCertificate(t)
	for _, secret := range []string{"visio", "roomkit", "lab", "board"} {
		if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("/run/secrets/", "", "/run/tls/tls.", "page.")
	if err := os.WriteFile("passerelle.yaml", []byte(here.Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(source(t, "VISIO_API_KEY=key\nLAB_API_KEY=key\n", nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 || len(c.Static.Engines) != 3 {
		t.Errorf("%d engines, warnings: %s", len(c.Static.Engines), c.Warnings)
	}
}
