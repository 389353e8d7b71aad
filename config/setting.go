package config

import "strings"

// shape is what kind of YAML a setting is written in.
type shape uint8

const (
	scalar   shape = iota
	scalars        // a list of scalars
	mapping        // settings of its own
	mappings       // a list of mappings
)

// String names the shape for a message.
func (s shape) String() string {
	switch s {
	case scalars, mappings:
		return "a list"
	case mapping:
		return "a mapping"
	}
	return "a single value"
}

// setting is one key of the file: what the decoder takes, and what docs/configuration.md says of it.
type setting struct {
	key      string
	is       shape
	values   string    // what a scalar, or each of a list, may be: "duration, 0s to 24h"
	unset    string    // the value where nobody says one, in YAML; "" is none
	means    string    // what the unset value amounts to, where it is not plain; for the document
	doc      string    // one sentence or two
	required bool      // an error where it is missing
	override bool      // may come from the environment and a flag
	secret   bool      // never printed
	bare     bool      // a number or a word: printed without quotes
	lone     bool      // of scalars: one alone needs no brackets
	later    bool      // in the design, not built yet
	moved    string    // the path where it is now; it is refused like later
	keys     []setting // of a mapping, or of each of a list of mappings
}

// find returns the setting of that key, nil if there is none.
func (s *setting) find(key string) *setting {
	for i := range s.keys {
		if s.keys[i].key == key {
			return &s.keys[i]
		}
	}
	return nil
}

// names returns all keys that can be used.
func (s *setting) names() []string {
	var names []string
	for _, k := range s.keys {
		if !k.later {
			names = append(names, k.key)
		}
	}
	return names
}

// walk calls visit for every setting below s with its path, as "trunks[].accept.from".
func (s *setting) walk(prefix string, visit func(path string, k *setting)) {
	for i := range s.keys {
		k := &s.keys[i]
		path := join(prefix, k.key)
		visit(path, k)
		if k.is == mappings {
			path += "[]"
		}
		k.walk(path, visit)
	}
}

// overrides returns the paths of all settings that environment and flags can give.
func (s *setting) overrides() []string {
	var paths []string
	s.walk("", func(path string, k *setting) {
		if k.override {
			paths = append(paths, path)
		}
	})
	return paths
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// envName returns the environment variable of a path: PASSERELLE_HTTP_PUBLIC_URL for http.public_url.
func envName(path string) string {
	return "PASSERELLE_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// flagName returns the flag of a path, without dashes before it: http-public-url for http.public_url.
func flagName(path string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(path) }
