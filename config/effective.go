package config

import (
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Effective writes everything that is in force as YAML, with where each value comes from as a comment. Secrets are
// ***; all else would load again to the same configuration.
func (c *Config) Effective(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c.tree.node()); err != nil {
		return err
	}
	return e.Close()
}

// node writes t as YAML.
func (t *tree) node() *yaml.Node {
	switch t.setting.is {
	case mapping:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for i := range t.setting.keys {
			child := t.keys[t.setting.keys[i].key]
			if child == nil {
				continue
			}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: child.setting.key}, child.node())
		}
		if len(n.Content) == 0 {
			n.Style, n.LineComment = yaml.FlowStyle, t.at.String()
		}
		return n
	case scalars, mappings:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range t.items {
			n.Content = append(n.Content, item.node())
		}
		if len(n.Content) == 0 {
			n.Style, n.LineComment = yaml.FlowStyle, t.at.String()
		}
		return n
	}
	return t.scalar()
}

// scalar writes one value and where it comes from.
func (t *tree) scalar() *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: t.text, LineComment: t.at.String()}
	if t.setting.bare {
		n.Tag = ""
	}
	if t.setting.secret && !t.open {
		n.Value = redacted
		if strings.HasPrefix(t.text, filePrefix) || strings.HasPrefix(t.text, envPrefix) {
			n.LineComment += ", " + quoted(t.text)
		}
	}
	return n
}
