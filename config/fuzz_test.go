package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad holds that every error has a line, and that what is in force loads again to the same.
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
			if len(c.Static.Networks) != 1 || len(c.Static.Engines) != 1 {
				t.Fatalf("%+v", c.Static)
			}
			if !strings.Contains(text, "password") {
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
