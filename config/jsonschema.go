package config

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// JSONSchema returns a JSON Schema of the file, for editors: the keys that there are, what each is for, and, roughly, what
// it may be. What Load says counts: it knows more.
func JSONSchema() ([]byte, error) {
	root := schema().jsonMapping()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of Passerelle"
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

// jsonSchema describes the value of a setting.
func (s *setting) jsonSchema() map[string]any {
	var value map[string]any
	switch s.is {
	case mapping:
		value = s.jsonMapping()
	case mappings:
		value = map[string]any{"type": "array", "items": s.jsonMapping()}
	case scalars:
		value = map[string]any{"type": "array", "items": s.jsonScalar()}
		if s.lone {
			value = map[string]any{"anyOf": []any{value, s.jsonScalar()}}
		}
	default:
		value = s.jsonScalar()
	}
	value["description"] = s.describedIn()
	return value
}

// describedIn is the sentence of the document, and what the setting may be.
func (s *setting) describedIn() string {
	text := s.doc
	if s.values != "" {
		text += " (" + s.values + ")"
	}
	return text
}

// jsonMapping describes settings within s.
func (s *setting) jsonMapping() map[string]any {
	properties, required := make(map[string]any), []string{}
	for i := range s.keys {
		k := &s.keys[i]
		if k.later {
			continue
		}
		properties[k.key] = k.jsonSchema()
		if k.required {
			required = append(required, k.key)
		}
	}
	m := map[string]any{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		m["required"] = required
	}
	return m
}

// jsonScalar describes one value: a choice of words or a range of numbers where that is all that it may be, else any text.
// An editor sees numbers and switches where the file has text.
func (s *setting) jsonScalar() map[string]any {
	if m := regexp.MustCompile(`^number, (\d+) to (\d+)$`).FindStringSubmatch(s.values); m != nil {
		least, _ := strconv.Atoi(m[1]) // digits, and few of them
		most, _ := strconv.Atoi(m[2])
		return map[string]any{"type": "integer", "minimum": least, "maximum": most}
	}
	if regexp.MustCompile(`^([a-z-]+, )*[a-z-]+ or [a-z-]+$`).MatchString(s.values) {
		var words []any
		for word := range strings.SplitSeq(strings.ReplaceAll(s.values, " or ", ", "), ", ") {
			words = append(words, word)
			switch word {
			case "on", "true":
				words = append(words, true)
			case "off", "false":
				words = append(words, false)
			}
		}
		return map[string]any{"enum": words}
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}
