package config

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestJSONSchema holds docs/passerelle.schema.json to the code, takes the sample with it, and refuses what is wrong.
func TestJSONSchema(t *testing.T) {
	const path = "../docs/passerelle.schema.json"
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if written, err := os.ReadFile(path); err != nil || !bytes.Equal(written, text) {
		t.Errorf("%s is not what the code says (%v): go test ./config -update", path, err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("passerelle.json", document); err != nil {
		t.Fatal(err)
	}
	checker, err := compiler.Compile("passerelle.json")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("../docs/passerelle.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := checker.Validate(decoded(t, string(sample))); err != nil {
		t.Errorf("the sample: %v", err)
	}
	for _, right := range []string{"version: 1", "version: 1\nsound:\n", "version: 1\ntrunks: [{name: a, accept: {from: [192.0.2.1]}, srtp: off}]"} {
		if err := checker.Validate(decoded(t, right)); err != nil {
			t.Errorf("%q: %v", right, err)
		}
	}
	for _, wrong := range []struct{ old, new string }{
		{"limits: {calls: 1000", "limits: {call: 1000"}, {"limits: {calls: 1000", "limits: {calls: 0"}, {"version: 1", ""},
		{"before_host: wait", "before_host: leave"}, {"trunks:  ", "trunk:  "}, {"{from: [192.0.2.0/24]}", "[192.0.2.0/24]"},
		{"log: {level: info}", "log: {level: loud}"}, {"drain: 10m", "drain: [10m]"},
	} {
		changed := strings.Replace(string(sample), wrong.old, wrong.new, 1)
		if changed == string(sample) {
			t.Fatalf("the sample has no %q", wrong.old)
		}
		if err := checker.Validate(decoded(t, changed)); err == nil {
			t.Errorf("%q is taken for %q", wrong.new, wrong.old)
		}
	}
}

// decoded is YAML as an editor sees it.
func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
