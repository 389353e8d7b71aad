package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		if s.moved != "" {
			return
		}
		if s.later {
			later = append(later, "`"+path+"`")
			return
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", path, cell(allowed(s)), cell(without(s)), cell(s.doc))
	})
	b.WriteString("\n| preset | stands for | why |\n|---|---|---|\n")
	for _, p := range presets() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.name, p.settings(), cell(p.why))
	}
	b.WriteString("\n| preset of keys | mute, hand, softer, louder, help | |\n|---|---|---|\n")
	for _, p := range keyPresets() {
		var keys []string
		for _, k := range p.keys.byName() {
			keys = append(keys, "`"+*k.keys+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.name, strings.Join(keys, ", "), cell(p.why))
	}
	b.WriteString("\nNot supported yet, and refused by name: " + strings.Join(later, ", ") + ".\n")
	b.WriteString("\n| setting | environment | flag |\n|---|---|---|\n")
	for _, path := range schema().overrides() {
		fmt.Fprintf(&b, "| `%s` | `%s` | `--%s` |\n", path, envName(path), flagName(path))
	}
	return b.String() + "\n"
}

// settings is what a preset says, as YAML.
func (p preset) settings() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(p.sets)) {
		all = append(all, "`"+key+": "+p.sets[key]+"`")
	}
	return strings.Join(all, ", ")
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
	for _, secret := range []string{"board.txt", "roomkit.txt", "admin.txt"} {
		if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("passerelle.yaml", data, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(source(t, "HALL_PASSWORD=parolier\nBOARD_MODERATORS=gavel\nLIVEKIT_API_KEY=key\nLIVEKIT_API_SECRET=sesame\nCARRIER_PASSWORD=x\nREDIS_PASSWORD=x\n"+
		"OFFICE_PASSWORD=x\nPHONE_2001=x\nHA1_2002="+strings.Repeat("0a", 32)+"\nHA1_2002_MD5="+strings.Repeat("0A", 16)+"\n", nil))
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

// TestExamples loads every configuration that is shown in README.md and docs, with something in the place of the secrets.
func TestExamples(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	recipes, err := filepath.Glob("../docs/trunks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, recipes...)
	shown := make(map[string]int)
	for _, page := range append(pages, "../README.md") {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, example := range examples(string(data)) {
			shown[filepath.Base(page)]++
			t.Run(fmt.Sprint(filepath.Base(page), " ", i), func(t *testing.T) { loadExample(t, example) })
		}
	}
	if shown["livekit.md"] == 0 || shown["README.md"] == 0 {
		t.Errorf("examples are lost: there are %v", shown)
	}
}

// TestRecipes has a page for every preset, which shows it and says what it sets.
func TestRecipes(t *testing.T) {
	for _, p := range presets() {
		page, err := os.ReadFile("../docs/trunks/" + p.name + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		if shown := examples(string(page)); len(shown) == 0 || !strings.Contains(shown[0], "preset: "+p.name) {
			t.Errorf("%s.md has no configuration with the preset", p.name)
		}
		for key, value := range p.sets {
			if !strings.Contains(string(page), "`"+key+": "+value+"`") {
				t.Errorf("%s.md does not say `%s: %s`", p.name, key, value)
			}
			if s := (&setting{keys: trunkSettings()}).find(key); s == nil || s.later {
				t.Errorf("preset %s sets %s, which is no setting of a trunk", p.name, key)
			}
		}
	}
}

// examples returns the YAML blocks of a page that are whole configurations.
func examples(page string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```yaml[^\n]*\n(.*?)^```").FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "version:") {
			all = append(all, m[1])
		}
	}
	return all
}

func loadExample(t *testing.T, text string) {
	t.Chdir(t.TempDir())
	writeCertificate(t)
	named := regexp.MustCompile(`file:[^\s,}"]+`)
	text = named.ReplaceAllStringFunc(text, func(name string) string {
		switch filepath.Ext(name) {
		case ".crt":
			return "file:page.crt"
		case ".key":
			return "file:page.key"
		}
		if err := os.WriteFile(filepath.Base(name), []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + filepath.Base(name)
	})
	if err := os.WriteFile("passerelle.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Source{LookupEnv: func(name string) (string, bool) {
		return "sesame", !strings.HasPrefix(name, "PASSERELLE_")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %s", c.Warnings)
	}
}
