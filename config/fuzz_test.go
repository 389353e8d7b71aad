package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad holds that every error has a line, that what is right leads somewhere, and that what is in force loads again
// to the same.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "passerelle.yaml" {
				f.Add(string(part.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") {
			return // names files of this machine
		}
		c, err := loadText(text)
		if err == nil {
			checkIsWhole(t, c)
			if !hasSecrets(c) {
				checkLoadsAgain(t, c)
			}
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("%v is no Errors", err)
		}
		for _, p := range all {
			if !strings.HasPrefix(p.Where, "passerelle.yaml:") || p.Text == "" {
				t.Fatalf("nowhere: %s", p)
			}
		}
	})
}

// checkIsWhole holds what the types promise of every configuration that is loaded.
func checkIsWhole(t *testing.T, c *Config) {
	t.Helper()
	kinds := make(map[string]string)
	embedded := 0
	for _, e := range c.Static.Engines {
		switch {
		case e.Embedded != nil && e.LiveKit == nil && e.Meet == nil:
			kinds[e.Name] = "embedded"
			embedded++
		case e.LiveKit != nil && e.Embedded == nil && e.LiveKit.URL != nil && !e.LiveKit.Key.IsEmpty() && !e.LiveKit.Secret.IsEmpty():
			kinds[e.Name] = "livekit"
		default:
			t.Fatalf("engine %+v", e)
		}
	}
	if len(c.Static.Networks) == 0 || len(kinds) != len(c.Static.Engines) || len(kinds) == 0 || embedded > 1 {
		t.Fatalf("%+v", c.Static)
	}
	if page := c.Static.HTTP.Listen.IsValid(); page != (embedded == 1) {
		t.Fatalf("%d embedded engines, a page: %v", embedded, page)
	}
	menus := make(map[string]string)
	for _, m := range c.Live.Menus {
		if menus[m.Name] = m.Engine; kinds[m.Engine] == "" || len(m.Languages) == 0 || m.Tries == 0 {
			t.Fatalf("menu %+v", m)
		}
	}
	for _, r := range c.Live.Rooms {
		if kinds[r.Engine] != "embedded" {
			t.Fatalf("room %+v", r)
		}
	}
	users := make(map[string]bool)
	for _, p := range c.Live.Phones {
		if users[p.User] || p.User == "" || p.Network == "" || len(p.Codecs) == 0 || p.Password.IsEmpty() == (p.HA1.MD5.IsEmpty() && p.HA1.SHA256.IsEmpty()) {
			t.Fatalf("phone %+v", p)
		}
		users[p.User] = true
	}
	for _, k := range c.Live.Trunks {
		if len(k.From) == 0 && k.Certificate == nil && len(k.Servers) == 0 || k.Register != nil && (len(k.Servers) == 0 || k.Register.Password.IsEmpty()) {
			t.Fatalf("trunk %+v", k)
		}
	}
	for _, r := range c.Live.Routes {
		if r.Phone != "" && (r.Engine != "" || r.ToMatch == nil && !users[r.Phone]) {
			t.Fatalf("route %+v", r)
		}
		if leads := r.Room != "" || r.Menu != ""; leads != (kinds[r.Engine] != "") || r.Menu != "" && menus[r.Menu] != r.Engine || r.Menu == "" && !r.PIN.IsEmpty() {
			t.Fatalf("route %+v", r)
		}
		ends := 0
		for _, set := range []bool{r.Room != "", r.Menu != "", r.Phone != "", r.Trunk != "", r.Announce != "", r.Echo, r.Reject != 0, r.Redirect != ""} {
			if set {
				ends++
			}
		}
		if ends != 1 || r.To != "" && r.ToMatch != nil || len(r.Callers) > 0 && r.Caller != nil {
			t.Fatalf("route %+v", r)
		}
	}
}

// hasSecrets reports whether what Effective prints cannot be loaded again to the same, since it shows no secrets.
func hasSecrets(c *Config) bool {
	var printed strings.Builder
	return c.Effective(&printed) != nil || strings.Contains(printed.String(), redacted)
}
