package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	redacted   = "***"
	maxSecret  = 64 << 10 // bytes in a secret's file
	filePrefix = "file:"
	envPrefix  = "env:"
)

// Secret is text that must not be seen: every way of printing it gives "***". It is behind a pointer since fmt asks
// no method, and follows no pointer to text, where the verb does not suit something around the Secret.
type Secret struct{ text *string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty reports whether there is no text.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

// String returns "***", or "" for the empty Secret.
func (s Secret) String() string {
	if s.IsEmpty() {
		return ""
	}
	return redacted
}

// Format is String for every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secrets finds what file: and env: stand for.
type secrets struct {
	folder    string // of the configuration file: where relative paths begin
	lookupEnv func(string) (string, bool)
}

// read returns the secret that text is or stands for. Its errors never say what is in it.
func (s secrets) read(text string) (Secret, error) {
	if name, ok := strings.CutPrefix(text, envPrefix); ok {
		value, ok := "", false
		if s.lookupEnv != nil {
			value, ok = s.lookupEnv(name)
		}
		if !ok || value == "" {
			return Secret{}, fmt.Errorf("the environment has no %s, or it is empty", name)
		}
		return NewSecret(value), nil
	}
	if _, ok := strings.CutPrefix(text, filePrefix); ok {
		return s.readFile(text)
	}
	if text == "" {
		return Secret{}, errors.New("it is empty; leave the setting out for none")
	}
	return NewSecret(text), nil
}

// mustRead is read for a secret that there has to be.
func (s secrets) mustRead(text string) (Secret, error) {
	if text == "" {
		return Secret{}, errors.New("it is empty")
	}
	return s.read(text)
}

// readFile reads a secret from a file, without the line's end after it.
func (s secrets) readFile(text string) (Secret, error) {
	path, err := s.path(text)
	if err != nil {
		return Secret{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, err
	}
	if len(data) > maxSecret {
		return Secret{}, fmt.Errorf("%s has more than %d bytes", path, maxSecret)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" {
		return Secret{}, fmt.Errorf("%s is empty", path)
	}
	return NewSecret(secret), nil
}

// folderOf returns the path of a folder, likewise; whoever serves makes it.
func (s secrets) folderOf(text string) (string, error) {
	if text == "" {
		return "", errors.New("the path of a folder is wanted")
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(s.folder, text)
	}
	return text, nil
}

// path returns the path of "file:PATH", from the configuration's folder if it is relative.
func (s secrets) path(text string) (string, error) {
	path, ok := strings.CutPrefix(text, filePrefix)
	if !ok || path == "" {
		return "", errors.New("file:PATH is wanted")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.folder, path)
	}
	return path, nil
}
