package config

import (
	"fmt"
	"slices"
)

// preset is what a kind of peer needs by habit: settings of a trunk, which it may have otherwise.
type preset struct {
	name string
	why  string            // for docs/configuration.md
	sets map[string]string // key of trunkSettings to YAML
}

// presets are those that there are. They say nothing of trust: that is the operator's to say.
func presets() []preset {
	wideband := map[string]string{"codecs": "[G722, PCMA, PCMU]"}
	return []preset{
		{"3cx", "G.722 where the phone behind it has it.", wideband},
		{"cisco-cube", "What is behind it speaks G.722, or is a carrier with G.711.", wideband},
		{"cisco-cucm", "Phones and rooms behind it speak G.722; Opus, where it is offered, costs and gains nothing.", wideband},
		{"ovh", "A French carrier: G.711, A-law first.", map[string]string{"codecs": "[PCMA, PCMU]"}},
		{"poly", "Phones and rooms with G.722, of which older ones know no Opus.", wideband},
		{"teams", "Direct Routing through an SBC: G.722 is what Teams and this gateway have in common.", wideband},
		{"telnyx", "It carries G.722; the public network is G.711.", wideband},
		{"twilio", "Elastic SIP Trunking: G.711, mu-law first.", map[string]string{"codecs": "[PCMU, PCMA]"}},
		{"yealink", "Phones and rooms that offer G.722 first.", wideband},
	}
}

// presetNames are their names.
func presetNames() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// prepare gives a trunk what its preset says and nobody else has.
func (r *reader) prepare(t *tree) {
	named := t.get("preset")
	if !named.ok() || t.setting.key != "trunks" {
		return
	}
	i := slices.IndexFunc(presets(), func(p preset) bool { return p.name == named.text })
	if i < 0 {
		text := fmt.Sprintf("there is no preset %s; there are %s", quoted(named.text), listed(presetNames()))
		if near := nearest(named.text, presetNames()); near != "" {
			text = fmt.Sprintf("there is no preset %s; do you mean %s?", quoted(named.text), near)
		}
		r.broken(named, "%s", text)
		return
	}
	for key, value := range presets()[i].sets {
		if t.keys[key] == nil {
			s := *t.setting.find(key)
			s.unset = value
			t.keys[key] = r.unset(&s, join(t.path, key))
			t.keys[key].comesFrom(named.at)
		}
	}
}

// comesFrom says where t and all below it were said.
func (t *tree) comesFrom(at origin) {
	t.at = at
	for _, item := range t.items {
		item.comesFrom(at)
	}
}
