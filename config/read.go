package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most that a configuration may have, in bytes.
const maxFile = 1 << 20

// tree is a setting as it is in force: read from YAML, with defaults and overrides. Scalars stay the text that they
// are, so that +33123456789 and 0123456701 are not numbers.
type tree struct {
	setting *setting
	path    string
	at      origin
	text    string           // of a scalar
	keys    map[string]*tree // of a mapping
	items   []*tree          // of a list
	broken  bool             // a problem has been told; there is no value
	open    bool             // of a setting for secrets: this one is none
}

// get returns the tree of a key, nil if there is none.
func (t *tree) get(key string) *tree {
	if t == nil {
		return nil
	}
	return t.keys[key]
}

// list returns the elements of a list, none if there is no list.
func (t *tree) list() []*tree {
	if t == nil {
		return nil
	}
	return t.items
}

// ok reports whether t has a value.
func (t *tree) ok() bool { return t != nil && !t.broken }

// reader turns YAML into a tree and tells all that does not fit the schema.
type reader struct {
	*problems
	source string // the file's name; "" for defaults
	root   *setting
}

// readFile reads a whole file.
func (r *reader) readFile(data []byte) *tree {
	missing := &tree{setting: r.root, at: origin{source: r.source, line: 1}, keys: map[string]*tree{}, broken: true}
	if len(data) > maxFile {
		r.add(missing.at, "", "more than %d bytes", maxFile)
		return missing
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		r.addSyntax(err)
		return missing
	}
	if len(document.Content) == 0 {
		r.add(missing.at, "", "nothing is in it; the least is: version: 1")
		return missing
	}
	if err := decoder.Decode(&second); err == nil {
		r.add(origin{r.source, second.Line, second.Column}, "", "a second document; one is all there may be")
	} else if !errors.Is(err, io.EOF) {
		r.addSyntax(err)
	}
	return r.read(r.root, "", document.Content[0])
}

// addSyntax tells what the YAML parser refused. It gives the line as text only; and it may quote the file,
// where a secret can stand.
func (r *reader) addSyntax(err error) {
	words := regexp.MustCompile(`'[^']*'|"[^"]*"`)
	own := regexp.MustCompile(`^'([^\pL\pN]|<[a-z ]+>)'$`) // ':' and '<document start>' are the parser's own
	text := words.ReplaceAllStringFunc(err.Error(), func(word string) string {
		if own.MatchString(word) {
			return word
		}
		return "'...'"
	})
	at := origin{source: r.source, line: 1}
	if m := regexp.MustCompile(`^yaml: (?:line (\d+): )?`).FindStringSubmatch(text); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.line = line
		}
		text = text[len(m[0]):]
	}
	if strings.Contains(text, "unknown anchor") {
		text += ` (a text that begins with a star is written in quotes, as "*6")`
	}
	r.add(at, "", "not YAML: %s", text)
}

// read reads the value of one setting.
func (r *reader) read(s *setting, path string, n *yaml.Node) *tree {
	t := &tree{setting: s, path: path, at: origin{r.source, n.Line, n.Column}}
	if r.source == "" {
		t.at = origin{}
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return r.broken(t, "anchors, aliases and tags are not for this file")
	}
	null := n.Kind == yaml.ScalarNode && n.Tag == "!!null"
	switch s.is {
	case scalar:
		if n.Kind != yaml.ScalarNode || null {
			return r.broken(t, "%s is wanted, here is %s", s.values, describe(n))
		}
		t.text = n.Value
	case scalars, mappings:
		if s.lone && n.Kind == yaml.ScalarNode && !null {
			n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
		}
		if n.Kind != yaml.SequenceNode {
			return r.broken(t, "a list is wanted, here is %s", describe(n))
		}
		r.readItems(t, n)
	case mapping:
		if n.Kind != yaml.MappingNode && !null {
			return r.broken(t, "settings are wanted (%s), here is %s", listed(s.names()), describe(n))
		}
		r.readKeys(t, n)
	}
	return t
}

func (r *reader) broken(t *tree, format string, args ...any) *tree {
	r.add(t.at, t.path, format, args...)
	t.broken = true
	return t
}

// readItems reads the elements of a list.
func (r *reader) readItems(t *tree, n *yaml.Node) {
	item := *t.setting
	item.is = scalar
	if t.setting.is == mappings {
		item.is = mapping
	}
	for i, element := range n.Content {
		t.items = append(t.items, r.read(&item, fmt.Sprintf("%s[%d]", t.path, i), element))
	}
}

// readKeys reads the settings of a mapping.
func (r *reader) readKeys(t *tree, n *yaml.Node) {
	t.keys = make(map[string]*tree)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := origin{r.source, key.Line, key.Column}
		if key.Kind != yaml.ScalarNode {
			r.add(at, t.path, "a key is a word, here is %s", describe(key))
			continue
		}
		s := t.setting.find(key.Value)
		switch {
		case s == nil:
			r.add(at, t.path, "%s", r.unknown(t.setting, key.Value))
		case s.moved != "":
			r.add(at, join(t.path, key.Value), "it is %s now", s.moved)
		case s.later:
			r.add(at, join(t.path, key.Value), "not supported yet")
		case t.keys[key.Value] != nil:
			r.add(at, join(t.path, key.Value), "it is there twice, first at line %d", t.keys[key.Value].at.line)
		default:
			t.keys[key.Value] = r.read(s, join(t.path, key.Value), value)
		}
	}
}

// fill gives t and all below it the settings that nobody gave, and tells those that somebody must.
func (r *reader) fill(t *tree) {
	if t.broken && t.path != "" {
		return
	}
	for _, item := range t.items {
		r.fill(item)
	}
	if t.keys == nil {
		return
	}
	r.prepare(t)
	for i := range t.setting.keys {
		s := &t.setting.keys[i]
		if t.keys[s.key] == nil && s.unset != "" {
			t.keys[s.key] = r.unset(s, join(t.path, s.key))
		}
		if t.keys[s.key] != nil {
			r.fill(t.keys[s.key])
		} else if s.required {
			r.add(t.at, t.path, "%s is missing", s.key)
			t.keys[s.key] = &tree{setting: s, path: join(t.path, s.key), at: t.at, broken: true}
		}
	}
}

// unset reads a setting's default value.
func (r *reader) unset(s *setting, path string) *tree {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(s.unset), &n); err != nil {
		r.add(origin{}, path, "the default value %s: %v", s.unset, err)
		return &tree{setting: s, path: path, broken: true}
	}
	return (&reader{problems: r.problems, root: r.root}).read(s, path, n.Content[0])
}

// unknown says what a key could have been meant to be.
func (r *reader) unknown(s *setting, key string) string {
	text := fmt.Sprintf("there is no setting %q here", key)
	if near := nearest(key, s.names()); near != "" {
		return text + "; do you mean " + near + "?"
	}
	var elsewhere string
	r.root.walk("", func(path string, k *setting) {
		if k.key == key && !k.later && elsewhere == "" {
			elsewhere = path
		}
	})
	if elsewhere != "" {
		return text + "; there is " + elsewhere
	}
	return text + "; there are " + listed(s.names())
}

// describe says what a node is, never what is in it.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "nothing"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	return "a single value"
}
