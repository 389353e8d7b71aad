package config

import "log/slog"

const redacted = "***"

// Secret is text that must not be seen: every way of printing it gives "***".
type Secret struct{ text string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

// IsEmpty reports whether there is no text.
func (s Secret) IsEmpty() bool { return s.text == "" }

// String returns "***", or "" for the empty Secret.
func (s Secret) String() string {
	if s.IsEmpty() {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
