package config

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
)

// Source is where a configuration is looked for. The zero Source looks for a file in its usual places only.
type Source struct {
	// Path is the file; if it is empty, the flag --config, PASSERELLE_CONFIG, ./passerelle.yaml and
	// /etc/passerelle/passerelle.yaml are tried in this order.
	Path string
	// Flags are those that AddFlags has added, parsed; nil if there are none.
	Flags *pflag.FlagSet
	// LookupEnv is os.LookupEnv; nil for an empty environment.
	LookupEnv func(key string) (string, bool)
}

// withoutFile is the configuration of a gateway that has no file: it serves its neighbourhood.
const withoutFile = `version: 1
trunks:
  - name: neighbours
    accept:
      from: [127.0.0.0/8, "::1", 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, "fc00::/7", "fe80::/10"]
routes:
  - {from: [neighbours], to_match: "(.+)", room: "$1"}
`

// Load reads, merges and checks a configuration: flags before environment before file before defaults. The error
// is an [Errors] with everything that is wrong, or says that the file cannot be read.
func Load(from Source) (*Config, error) {
	outside, err := newOutside(from, schema())
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	// 1. Find the file and read it.
	path := outside.find()
	data, source := []byte(withoutFile), ""
	if path != "" {
		source = path
		if data, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	return load(data, source, outside)
}

// load makes a configuration of a file's content.
func load(data []byte, source string, outside *outside) (*Config, error) {
	found := &problems{}
	r := &reader{problems: found, source: source, root: schema()}
	// 2. YAML to a tree that fits the schema.
	root := r.readFile(data)
	// 3. What comes from outside goes before the file, defaults after it.
	if root.keys != nil {
		outside.apply(root)
	}
	if !root.broken {
		r.fill(root)
	}
	// 4. The tree to typed values, each right by itself.
	b := &builder{
		problems: found, root: root, addresses: newAddresses(), at: make(map[string]origin),
		secrets: secrets{folder: filepath.Dir(source), lookupEnv: outside.from.LookupEnv},
	}
	c := b.build(root)
	c.File, c.tree, c.at = source, root, b.at
	// 5. ... and right together.
	if !root.broken {
		b.check(c)
	}
	if len(found.errors) > 0 {
		return nil, sorted(found.errors)
	}
	c.Warnings = sorted(found.warnings)
	return c, nil
}

// Default returns the configuration without a file, environment and flags.
func Default() *Config {
	c, err := load([]byte(withoutFile), "", &outside{})
	if err != nil {
		panic(fmt.Sprintf("config: the defaults are wrong: %v", err)) // a test holds that they are not
	}
	return c
}
