package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"passerelle/bridge/ivr"
)

// runs runs a command with a configuration.
func runs(t *testing.T, c *cobra.Command, file string, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(append([]string{"--config", file}, args...))
	err := c.Execute()
	return out.String(), err
}

// TestVoicesCommand: every sentence is printed with its words, and what is wrong with recordings of one's own is told, as
// check does.
func TestVoicesCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "passerelle.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("passerelle.yaml", "version: 1\nvoices: {debian: off}\n")
	got, err := runs(t, voicesCommand(), file, "fr")
	if err != nil || !strings.HasPrefix(got, "# fr: the program's own") || strings.Count(got, "\n") != 1+len(ivr.Prompts()) ||
		!strings.Contains(got, "fr/goodbye                   Merci de votre appel. Au revoir.\n") {
		t.Errorf("got\n%s%v", got, err)
	}

	write("passerelle.yaml", "version: 1\nvoices: {debian: off, dir: own}\n")
	write("own/es/welcome.wav", "RIFF")
	got, err = runs(t, voicesCommand(), file, "es")
	if err == nil || !strings.Contains(got, "es/goodbye                   Thank you for calling. Goodbye.\n") {
		t.Errorf("the words are not there for whoever records them: %s%v", got, err)
	}
	_, err = runs(t, checkCommand(), file)
	for _, want := range []string{"es/welcome.wav: not a WAV file", "recordings are missing: enter-pin, "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("check says %v, want %q", err, want)
		}
	}
}
