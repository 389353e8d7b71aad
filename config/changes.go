package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is a setting that is not the same in two configurations.
type Change struct {
	Path    string `json:"path"`    // "trunks[pbx].codecs", "limits.calls"
	Was     string `json:"was"`     // in YAML; "" is nothing, secrets are ***
	Is      string `json:"is"`      // likewise
	Restart bool   `json:"restart"` // takes a restart
}

// String is a line for people.
func (c Change) String() string {
	text := fmt.Sprintf("%s: %s -> %s", c.Path, orNothing(c.Was), orNothing(c.Is))
	if c.Restart {
		text += " (takes a restart)"
	}
	return text
}

func orNothing(text string) string {
	if text == "" {
		return "(nothing)"
	}
	return text
}

// Changes says what is not the same in next, in the order of their paths. What has settings of its own and is new or gone, such as a trunk, is one
// change, with what was said of it. Secrets that are not the same are told and not shown.
func (c *Config) Changes(next *Config) []Change {
	before, after := c.flat(), next.flat()
	before.fold(after)
	after.fold(before)
	was, is := before.values, after.values
	var all []Change
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] != is[path] {
			all = append(all, Change{path, was[path], is[path], static(path)})
		}
	}
	told := slices.ContainsFunc(all, func(c Change) bool { return c.Restart })
	if !told && !reflect.DeepEqual(c.Static, next.Static) {
		all = append(all, Change{"a secret of networks, engines, http, admin or state", redacted, redacted, true})
	}
	if !slices.Equal(c.Live.logins(), next.Live.logins()) {
		all = append(all, Change{"a password of phones or trunks", redacted, redacted, false})
	}
	if !slices.Equal(c.Live.secrets(), next.Live.secrets()) {
		all = append(all, Change{"a secret of rooms or routes", redacted, redacted, false})
	}
	return all
}

// secrets returns the secrets in their order, to compare them.
func (l *Live) secrets() []string {
	var all []string
	for _, r := range l.Rooms {
		all = append(all, r.Password.Reveal(), r.PIN.Reveal(), r.ModeratorPIN.Reveal(), r.ModeratorPassword.Reveal())
	}
	for _, r := range l.Routes {
		all = append(all, r.PIN.Reveal())
	}
	return all
}

// logins returns the passwords of phones and trunks, likewise.
func (l *Live) logins() []string {
	var all []string
	for _, p := range l.Phones {
		all = append(all, p.Password.Reveal(), p.HA1.SHA256.Reveal(), p.HA1.MD5.Reveal())
	}
	for _, t := range l.Trunks {
		for _, login := range []*Login{t.Register, t.Digest} {
			if login != nil {
				all = append(all, login.Password.Reveal())
			}
		}
	}
	return all
}

// static reports whether a setting takes a restart.
func static(path string) bool {
	for _, top := range []string{"networks", "engines", "http", "admin", "sound.limiter", "state", "voices"} {
		if rest, ok := strings.CutPrefix(path, top); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// flat is every value by its path. Elements of lists go by their names, where they have one; routes are one value each, and so are
// lists of values.
type flat struct {
	values   map[string]string
	elements map[string]string // of lists, and settings that have settings, with what was said of each
}

func (c *Config) flat() flat {
	all := flat{make(map[string]string), make(map[string]string)}
	c.tree.flatten("", all)
	return all
}

// fold makes one value of each element that other has not.
func (f flat) fold(other flat) {
	folded := "\x00" // no path begins so
	for _, path := range slices.Sorted(maps.Keys(f.elements)) {
		if _, both := other.elements[path]; both || strings.HasPrefix(path, folded) {
			continue
		}
		folded = path + "."
		maps.DeleteFunc(f.values, func(p, _ string) bool { return strings.HasPrefix(p, folded) })
		f.values[path] = f.elements[path]
	}
}

func (t *tree) flatten(path string, all flat) {
	switch {
	case t.setting.is == mapping && t.setting.key != "routes":
		if path != "" {
			all.elements[path] = inline(t.said().node())
		}
		for key, child := range t.keys {
			child.flatten(join(path, key), all)
		}
	case t.setting.is == mappings:
		for i, item := range t.items {
			name := fmt.Sprint(i)
			for _, key := range []string{"user", "name"} { // phones have both
				if n := item.get(key); n.ok() {
					name = n.text
					break
				}
			}
			item.flatten(fmt.Sprintf("%s[%s]", path, name), all)
		}
	default:
		all.values[path] = inline(t.node())
	}
}

// said is t without what is there because nobody has said anything else.
func (t *tree) said() *tree {
	only := *t
	only.keys = make(map[string]*tree)
	for key, child := range t.keys {
		if child.at.source != "" {
			only.keys[key] = child.said()
		}
	}
	return &only
}

// inline writes a value in one line of YAML.
func inline(n *yaml.Node) string {
	plainly(n)
	text, err := yaml.Marshal(n)
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// plainly takes comments away, and line breaks.
func plainly(n *yaml.Node) {
	n.LineComment = ""
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, child := range n.Content {
		plainly(child)
	}
}
