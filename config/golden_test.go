package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the golden files and the table of docs/configuration.md anew")

// TestGolden reads testdata/load/*.txtar: a file, perhaps an environment ("env") and flags ("flags"), and files that it
// names (the pairs of writeCertificate are there always); and the errors, or the warnings and the effective configuration, that are wanted.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	writeCertificate(t)
	var given []txtar.File
	var env, flags string
	for _, f := range archive.Files {
		switch {
		case strings.HasPrefix(f.Name, "want "):
			continue
		case f.Name == "env":
			env = string(f.Data)
		case f.Name == "flags":
			flags = string(f.Data)
		default:
			if err := os.MkdirAll(filepath.Dir(f.Name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		given = append(given, f)
	}
	if _, err := os.Stat("/etc/passerelle/passerelle.yaml"); err == nil && len(given) == 0 {
		t.Skip("this machine has a configuration, which would be found")
	}
	c, err := Load(source(t, env, strings.Fields(flags)))
	result := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: append(given, outcome(t, c, err)...)})
	if *update {
		if err := os.WriteFile(path, result, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(archive); string(result) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", result, want)
	}
}

// writeCertificate writes page.crt and page.key to the working folder; likewise sip and branch, and old, which has expired.
func writeCertificate(t *testing.T) {
	t.Helper()
	now := time.Now()
	for name, until := range map[string]time.Time{
		"page": now.Add(time.Hour), "sip": now.Add(time.Hour), "branch": now.Add(time.Hour),
		"old": time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC),
	} {
		writePair(t, name, until)
	}
}

func writePair(t *testing.T, name string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: cert},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// source makes a Source of "NAME=value" lines and of flags.
func source(t *testing.T, env string, args []string) Source {
	t.Helper()
	variables := make(map[string]string)
	for line := range strings.Lines(env) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[name] = value
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Source{Flags: flags, LookupEnv: func(key string) (string, bool) {
		value, ok := variables[key]
		return value, ok
	}}
}

// outcome is what Load gave, in files.
func outcome(t *testing.T, c *Config, err error) []txtar.File {
	t.Helper()
	if err != nil {
		var all Errors
		if !errors.As(err, &all) {
			t.Fatal(err)
		}
		return []txtar.File{{Name: "want errors", Data: []byte(all.Error() + "\n")}}
	}
	var effective strings.Builder
	if err := c.Effective(&effective); err != nil {
		t.Fatal(err)
	}
	var files []txtar.File
	if len(c.Warnings) > 0 {
		files = append(files, txtar.File{Name: "want warnings", Data: []byte(c.Warnings.Error() + "\n")})
	}
	return append(files, txtar.File{Name: "want effective", Data: []byte(effective.String())})
}
