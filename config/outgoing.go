package config

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Outgoing is what may be called out, and by whom (docs/calling-out.md).
type Outgoing struct {
	Via        []string // names of Live.Trunks, in the order of trying; empty where phones of ours alone may be called
	Moderators bool     // who: of rooms, on their page
	API        bool     // who: the API, and the shell, which uses it
	Regions    []string // allow: countries, "FR"
	Prefixes   []string // allow: the beginnings of numbers, "+331"
	Kinds      []string // fixed, mobile and voip by default
	Press      string   // the key that the called party presses to be seated; "", the default: the answer is enough
	Limits     CallLimits
	Zone       *time.Location // in which a day is one; nil, the default: that of this machine
}

// CallLimits bound calls out; 0 is no bound.
type CallLimits struct {
	AtOnce     int
	MinutesDay int
	Longest    time.Duration // whole minutes
}

// kinds are the kinds of numbers that may be called.
func kinds() []string {
	return []string{"fixed", "mobile", "voip", "toll-free", "shared-cost", "premium", "satellite", "special", "short", "extension", phones, "unknown"}
}

// outgoingSetting describes outgoing.
func outgoingSetting() setting {
	return setting{key: "outgoing", is: mapping, means: "nothing may be called", doc: "What may be called out ([calling-out.md](calling-out.md)).", keys: []setting{
		{key: "via", is: scalars, lone: true, values: "name of a trunk", means: "phones of ours alone may be called", doc: "Over which trunks, the first that works."},
		{key: "who", is: scalars, lone: true, values: "moderators or api", unset: "[moderators, api]",
			doc: "Who may call: moderators of a room on its page, and programs and passerelle dial through admin.listen."},
		{key: "allow", is: scalars, lone: true, values: "country, as FR, or prefix, as +33 1", means: "phones and extensions alone may be called",
			doc: "Where to. Departments overseas are countries of their own here: GP, MQ, GF, RE, YT."},
		{key: "kinds", is: scalars, lone: true, values: listedOr(kinds()), unset: "[fixed, mobile, voip]",
			doc: "What sorts of numbers, of those that allow names. phones are those of ours; unknown is what is no valid number as far as is known."},
		{key: "press", values: "digit, or off", unset: "off", bare: true, doc: "The key that whoever answers presses to be seated; off: the answer is enough."},
		{key: "limits", is: mapping, unset: "{}", doc: "Bounds of all calls out.", keys: callLimitSettings("10", "600", "120")},
		{key: "zone", values: "time zone, as Europe/Paris", means: "this machine's", doc: "Whose midnight ends a day of minutes_a_day."},
	}}
}

// callLimitSettings describes bounds of calls out, with what they are where nobody says.
func callLimitSettings(atOnce, minutesDay, minutesCall string) []setting {
	settings := []setting{
		{key: "at_once", values: "number, 1 to 10000, or off", unset: atOnce, bare: true, doc: "Calls out at once, those that ring included."},
		{key: "minutes_a_day", values: "number, 1 to 1000000, or off", unset: minutesDay, bare: true,
			doc: "Minutes over trunks from midnight to midnight, each begun one whole. Calls that are up are ended when the last is used up. With state.dir they are known after a restart."},
		{key: "minutes_a_call", values: "number, 1 to 1440, or off", unset: minutesCall, bare: true, doc: "The longest that a call may last from its answer."},
	}
	for i := range settings {
		if settings[i].unset == "" {
			settings[i].means = "no bound but outgoing.limits"
		}
	}
	return settings
}

// listedOr joins words as a choice.
func listedOr(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// outgoing reads what may be called out.
func (b *builder) outgoing(t *tree) *Outgoing {
	if !t.ok() {
		return nil
	}
	o := &Outgoing{
		Via:    values(b, t.get("via"), anyText),
		Kinds:  values(b, t.get("kinds"), parseKind),
		Press:  value(b, t.get("press"), parsePress),
		Limits: b.callLimits(t.get("limits")),
		Zone:   value(b, t.get("zone"), parseZone),
	}
	for _, who := range values(b, t.get("who"), parseWho) {
		o.Moderators = o.Moderators || who == "moderators"
		o.API = o.API || who == "api"
	}
	for _, where := range values(b, t.get("allow"), parseWhere) {
		if where[0] == '+' {
			o.Prefixes = append(o.Prefixes, where)
		} else {
			o.Regions = append(o.Regions, where)
		}
	}
	for _, key := range []string{"via", "who", "allow", "kinds"} {
		if list := t.get(key); list.ok() && len(list.items) == 0 {
			b.add(list.at, list.path, "one at least is wanted")
		}
	}
	return o
}

// callLimits reads bounds of calls out.
func (b *builder) callLimits(t *tree) CallLimits {
	return CallLimits{
		AtOnce:     value(b, t.get("at_once"), parseBound(10000)),
		MinutesDay: value(b, t.get("minutes_a_day"), parseBound(1000000)),
		Longest:    time.Duration(value(b, t.get("minutes_a_call"), parseBound(1440))) * time.Minute,
	}
}

// checkOutgoing finds the trunks that are called over, and tells of what cannot be called.
func (b *builder) checkOutgoing(c *Config) {
	t, o := b.root.get("outgoing"), c.Live.Outgoing
	if o == nil {
		return
	}
	via := t.get("via")
	if via.ok() {
		b.checkVia(via)
	}
	away := slices.ContainsFunc(o.Kinds, func(k string) bool { return k != phones })
	abroad := slices.ContainsFunc(o.Kinds, func(k string) bool { return k != phones && k != "extension" })
	switch {
	case via == nil && away:
		b.add(t.at, t.path, "via is missing: over which trunk? For phones of ours alone, kinds is [phones]")
	case t.get("allow") == nil && abroad:
		b.add(t.at, t.path, "allow is missing: where may be called?")
	}
	for _, item := range t.get("kinds").list() {
		if item.ok() && slices.Contains([]string{"premium", "satellite", "unknown"}, item.text) {
			b.warn(item.at, item.path, "%s: calls to such numbers are what those who steal calls want", item.text)
		}
	}
}

// checkVia reads the names of the trunks that are called over.
func (b *builder) checkVia(via *tree) {
	seen := make(map[string]bool)
	for _, item := range via.items {
		name := b.lookUp(item, "trunks", "trunk")
		if name == "" {
			continue
		}
		if seen[name] {
			b.add(item.at, item.path, "%s is there twice", name)
		}
		seen[name] = true
		if trunk := b.checkOutward(item, name); trunk != nil && trunk.get("numbers").get("plan") == nil {
			b.warn(item.at, item.path, "trunk %s has no numbers.plan: only numbers that begin with + can be called over it", name)
		}
	}
}

// checkOutward tells where a trunk that item names cannot be called over; else it returns the trunk.
func (b *builder) checkOutward(item *tree, name string) *tree {
	for _, trunk := range namesOf(b.root.get("trunks")) {
		switch {
		case trunk.name != name || trunk.element.broken:
		case trunk.element.get("servers") == nil:
			b.add(item.at, item.path, "trunk %s has no servers: where is it called?", name)
		case trunk.element.get("numbers").get("present") == nil:
			b.add(item.at, item.path, "trunk %s has neither numbers.present nor numbers.ours: as whom is called over it?", name)
		default:
			return trunk.element
		}
	}
	return nil
}

// parseBound returns a function for numbers from 1 to most; off is 0.
func parseBound(most int) func(string) (int, error) {
	return func(text string) (int, error) {
		if text == "off" {
			return 0, nil
		}
		n, err := parseNumber(1, most)(text)
		if err != nil {
			return 0, errors.New("off or " + err.Error())
		}
		return n, nil
	}
}

func parseWho(text string) (string, error) {
	if text != "moderators" && text != "api" {
		return "", errors.New("moderators or api is wanted")
	}
	return text, nil
}

func parseKind(text string) (string, error) {
	if !slices.Contains(kinds(), text) {
		wrong := listedOr(kinds()) + " is wanted"
		if near := nearest(text, kinds()); near != "" {
			wrong += " (do you mean " + near + "?)"
		}
		return "", errors.New(wrong)
	}
	return text, nil
}

// parseWhere reads a country, or the beginning of numbers, which it returns without what is between its digits.
func parseWhere(text string) (string, error) {
	if region, err := parseRegion(text); err == nil {
		return region, nil
	}
	prefix, ok := worldDigits(text)
	if !ok {
		return "", errors.New("a country of two letters, such as FR, or the beginning of numbers, such as +33 1, is wanted")
	}
	return prefix, nil
}

// worldDigits reads a number of the world or the beginning of one: a + and up to 15 digits, with what people write between
// them.
func worldDigits(text string) (string, bool) {
	digits, plus := strings.CutPrefix(strings.NewReplacer(" ", "", ".", "", "-", "").Replace(text), "+")
	if !plus || digits == "" || digits[0] == '0' || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	return "+" + digits, true
}

// parsePress reads a key; "" is none.
func parsePress(text string) (string, error) {
	if text == "off" {
		return "", nil
	}
	if len(text) != 1 || strings.Trim(text, "0123456789") != "" {
		return "", errors.New("a digit or off is wanted")
	}
	return text, nil
}

// announce stands for a spoken sentence where calls for help go.
const announce = "announce"

// checkHelp finds the trunk of calls for help, and warns where nobody has thought of them.
func (b *builder) checkHelp(c *Config) {
	t := b.root.get("emergency")
	via := t.get("via")
	switch {
	case via == nil && len(c.Live.Phones) > 0 && !b.toldBelow("emergency"):
		b.warn(b.at["phones"], "phones", "who dials 112 on one of them reaches nobody: emergency.via names the trunk for that, or announce")
	case !via.ok(), via.text == announce:
	default:
		if c.Live.Help = b.lookUp(via, "trunks", "trunk"); c.Live.Help != "" {
			b.checkOutward(via, c.Live.Help)
		}
	}
}

// checkTrunkRoute finds the trunk of a route.
func (b *builder) checkTrunkRoute(t *tree, c *Config) {
	if engine := t.get("engine"); engine != nil {
		b.add(engine.at, engine.path, "a trunk is in no room")
	}
	trunk := t.get("trunk")
	name := b.lookUp(trunk, "trunks", "trunk")
	if name == "" {
		return
	}
	b.checkOutward(trunk, name)
	if c.Live.Outgoing == nil && b.root.get("outgoing") == nil {
		b.add(trunk.at, trunk.path, "outgoing is missing: which numbers may be called?")
	}
}
