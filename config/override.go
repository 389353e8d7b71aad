package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/afero"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// AddFlags adds --config and a flag for every setting that one can override.
func AddFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "the configuration file (env PASSERELLE_CONFIG; else ./passerelle.yaml or /etc/passerelle/passerelle.yaml)")
	root := schema()
	root.walk("", func(path string, s *setting) {
		if s.override {
			flags.String(flagName(path), "", fmt.Sprintf("%s: %s (env %s)", path, s.values, envName(path)))
		}
	})
}

// outside is what comes from outside of the file: its place, and values that go before those in it.
type outside struct {
	viper *viper.Viper
	from  Source
}

// newOutside binds every override to its flag and its environment variable. To viper the environment is a default,
// so that a flag goes before it; the file is never viper's to read, since it would make numbers of text.
func newOutside(from Source, root *setting) (*outside, error) {
	o := &outside{viper: viper.New(), from: from}
	for _, path := range append(root.overrides(), "config") {
		if text, ok := o.lookupEnv(envName(path)); ok && text != "" {
			o.viper.SetDefault(path, text)
		}
		if from.Flags == nil || from.Flags.Lookup(flagName(path)) == nil {
			continue
		}
		if err := o.viper.BindPFlag(path, from.Flags.Lookup(flagName(path))); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *outside) lookupEnv(name string) (string, bool) {
	if o.from.LookupEnv == nil {
		return "", false
	}
	return o.from.LookupEnv(name)
}

// value returns the value given for a path, and by whom.
func (o *outside) value(path string) (text string, at origin, ok bool) {
	if !o.viper.IsSet(path) {
		return "", origin{}, false
	}
	at = origin{source: "env " + envName(path)}
	if f := o.from.Flags; f != nil && f.Changed(flagName(path)) {
		at = origin{source: "flag --" + flagName(path)}
	}
	return o.viper.GetString(path), at, true
}

// apply puts the values from outside into the tree.
func (o *outside) apply(root *tree) {
	if o.viper == nil {
		return
	}
	for _, path := range root.setting.overrides() {
		if text, at, ok := o.value(path); ok {
			root.override(strings.Split(path, "."), text, at)
		}
	}
}

// override sets the scalar at the end of keys, and makes the mappings on the way.
func (t *tree) override(keys []string, text string, at origin) {
	for _, key := range keys {
		next := t.keys[key]
		if next == nil || next.broken {
			next = &tree{setting: t.setting.find(key), path: join(t.path, key), at: at}
			if next.setting.is == mapping {
				next.keys = make(map[string]*tree)
			}
			t.keys[key] = next
		}
		t = next
	}
	t.text, t.at = text, at
}

// find returns the path of the file, "" if there is none and none was asked for.
func (o *outside) find() string {
	path := o.from.Path
	if text, _, ok := o.value("config"); ok && path == "" {
		path = text
	}
	if path != "" {
		return path
	}
	finder := viper.NewWithOptions(viper.WithFinder(places{"passerelle.yaml", "/etc/passerelle/passerelle.yaml"}))
	err := finder.ReadInConfig() // finds the file; what viper makes of its content does not matter
	var none viper.ConfigFileNotFoundError
	if errors.As(err, &none) {
		return ""
	}
	return finder.ConfigFileUsed()
}

// places are paths to look at, one after the other.
type places []string

// Find returns the first that is there, for viper.
func (p places) Find(files afero.Fs) ([]string, error) {
	for _, path := range p {
		if _, err := files.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return []string{path}, nil
		}
	}
	return nil, nil
}
