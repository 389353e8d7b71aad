package numbers

import (
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Plan is how numbers are dialled at a trunk. The zero Plan knows no country: numbers are what they are dialled as. It is
// comparable, and does not change.
type Plan struct {
	Region    string // ISO 3166, "FR"; empty: none
	Emergency string // whose emergency numbers are known; empty: Region's
	Outside   string // digits that may be dialled before what leaves the house, such as "0"; empty: none
	// Extensions is how many digits an extension has; 0: there are none. E164 is what extensions are to the world,
	// "+3312345{ext}"; empty: nothing.
	Extensions int
	E164       string
}

// Placeholder stands for the extension in Plan.E164.
const Placeholder = "{ext}"

// Kind is what sort of number was dialled.
type Kind uint8

// The sorts of numbers, in the order in which a plan looks for them. The first that fits is meant: what a number of the
// world is made of comes last, since everything can be made one (15, who saves lives, would be +3315).
const (
	Name      Kind = iota + 1 // no number: letters, or nothing
	Emergency                 // answered by those who save lives
	Extension                 // of the house
	Short                     // of the country, meaningless elsewhere: 3900
	World                     // E.164
	Other                     // digits that are none of these, as they were dialled
)

// String names the kind in plain words.
func (k Kind) String() string {
	switch k {
	case Name:
		return "a name"
	case Emergency:
		return "an emergency number"
	case Extension:
		return "an extension"
	case Short:
		return "a short number"
	case World:
		return "a number of the world"
	case Other:
		return "as dialled"
	}
	return "nothing"
}

// Number is what was dialled, and what it comes to.
type Number struct {
	Dialled string // as it was
	Bare    string // its digits, a plus before them perhaps; "" for a name
	E164    string // "+33123456789"; "" where it is no number of the world
	Help    string // "112", of an emergency number; "" of others
	Kind    Kind
	Why     string // in plain words, without the number
}

// Text is the number as others write it: E.164, else as it was dialled.
func (n Number) Text() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.Dialled
}

// Same reports whether two numbers call the same: literally, as bare digits, or in the world.
func (n Number) Same(m Number) bool {
	switch {
	case n.Dialled == m.Dialled, n.E164 != "" && n.E164 == m.E164:
		return true
	}
	return n.Bare != "" && n.Bare == m.Bare
}

// Read says what was dialled.
func (p Plan) Read(dialled string) Number {
	n := Number{Dialled: dialled, Bare: bare(dialled)}
	if n.Bare == "" {
		n.Kind, n.Why = Name, "no number"
		return n
	}
	inside := strings.TrimPrefix(n.Bare, p.Outside)
	if p.Outside == "" || inside == n.Bare || !p.leaves(inside) {
		inside = n.Bare
	}
	n.Kind, n.E164, n.Why = p.read(inside)
	n.Help, _ = p.help(inside)
	if inside != n.Bare {
		n.Why += ", with " + p.Outside + " before it for the outside"
	}
	return n
}

// leaves reports whether digits are a number of the outside, which the outside's digits may have stood before.
func (p Plan) leaves(digits string) bool {
	kind, _, _ := p.read(digits)
	return kind == Emergency || kind == World || kind == Short
}

// read is Read of bare digits.
func (p Plan) read(digits string) (kind Kind, e164, why string) {
	national, global := strings.CutPrefix(digits, "+")
	switch {
	case p.emergency(digits):
		return Emergency, "", "an emergency number of " + p.emergencies()
	case !global && p.Extensions > 0 && len(digits) == p.Extensions:
		if p.E164 == "" {
			return Extension, "", fmt.Sprintf("an extension, %d digits", p.Extensions)
		}
		return Extension, strings.ReplaceAll(p.E164, Placeholder, digits), fmt.Sprintf("an extension, %d digits", p.Extensions)
	case p.Region == "" && global && national != "":
		return World, digits, "it begins with +, and there is no plan"
	case p.Region == "":
		return Other, "", "there is no plan (trunks[].numbers): as dialled"
	case !global && short(digits, p.Region):
		return Short, "", "a short number of " + p.Region
	}
	if e164, ok := overseas(digits, p.Region); ok {
		return World, e164, "overseas France, which has country codes of its own"
	}
	region := p.Region
	if metropolitan(digits, region) {
		region = "FR" // one national plan for all of France
	}
	parsed, err := phonenumbers.Parse(digits, region)
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return Other, "", "no valid number in " + p.Region + ": as dialled"
	}
	return World, phonenumbers.Format(parsed, phonenumbers.E164), "plan " + p.Region
}

// emergencies is whose emergency numbers count.
func (p Plan) emergencies() string {
	if p.Emergency != "" {
		return p.Emergency
	}
	return p.Region
}

// emergency reports whether these digits call for help.
func (p Plan) emergency(digits string) bool {
	_, ok := p.help(digits)
	return ok
}

// help returns the digits that call for help, also where somebody on the way has made a number of the world of them.
func (p Plan) help(digits string) (number string, ok bool) {
	region := p.emergencies()
	if region == "" {
		return "", false
	}
	if code := phonenumbers.GetCountryCodeForRegion(region); code > 0 {
		digits = strings.TrimPrefix(digits, fmt.Sprintf("+%d", code))
	}
	if french(region) && frenchEmergency(digits) || !french(region) && phonenumbers.IsEmergencyNumber(digits, region) {
		return digits, true
	}
	return "", false
}

// short reports whether digits are a number that means something within the country only.
func short(digits, region string) bool {
	parsed, err := phonenumbers.Parse(digits, region)
	return err == nil && phonenumbers.IsValidShortNumberForRegion(parsed, region)
}

// longest is what a number may have, in characters: E.164 has 15 digits, a prefix or two before them.
const longest = 24

// bare returns a number without its visual separators, which say nothing (RFC 3966 section 5.1.1), and without its
// parameters; "" if s is no number.
func bare(s string) string {
	s, _, _ = strings.Cut(s, ";")
	var b strings.Builder
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', c == '+' && i == 0:
			b.WriteRune(c)
		case strings.ContainsRune("-.() ", c):
		default:
			return ""
		}
	}
	if b.Len() > longest || b.String() == "+" {
		return ""
	}
	return b.String()
}

// Supported reports whether there is a plan for a region, "FR".
func Supported(region string) bool { return phonenumbers.GetCountryCodeForRegion(region) > 0 }
