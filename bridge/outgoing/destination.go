package outgoing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"passerelle/bridge/numbers"
)

// Kind is what a call to a number costs whom, roughly: what outgoing.kinds names.
type Kind string

// The kinds.
const (
	Fixed      Kind = "fixed"
	Mobile     Kind = "mobile"
	VoIP       Kind = "voip"
	TollFree   Kind = "toll-free"
	SharedCost Kind = "shared-cost"
	Premium    Kind = "premium"
	Satellite  Kind = "satellite" // and what else belongs to no country: +870, +881 to +883
	Special    Kind = "special"   // personal numbers, pagers, numbers of companies, voice mail
	Short      Kind = "short"
	Extension  Kind = "extension"
	Phones     Kind = "phones"  // phones of ours
	Unknown    Kind = "unknown" // no valid number, as far as is known

	either    Kind = "fixed or mobile" // where numbers do not tell, as in America
	emergency Kind = "emergency"       // which no list can name
)

// Kinds returns those that can be allowed.
func Kinds() []Kind {
	return []Kind{Fixed, Mobile, VoIP, TollFree, SharedCost, Premium, Satellite, Special, Short, Extension, Phones, Unknown}
}

// Destination is what a number is to those who pay for calls.
type Destination struct {
	Number numbers.Number
	Region string // ISO 3166, "FR"; "001" of the world's own numbers, "" where there is none
	Kind   Kind
}

// Phone is a phone of ours, by its user.
func Phone(user string) Destination {
	return Destination{Number: numbers.Number{Dialled: user, Kind: numbers.Name, Why: "a phone"}, Kind: Phones}
}

// Read says what is dialled towards a trunk with that numbering plan.
func Read(plan numbers.Plan, dialled string) Destination {
	d := Destination{Number: plan.Read(dialled), Kind: Unknown}
	switch d.Number.Kind {
	case numbers.Emergency:
		d.Region, d.Kind = cmp.Or(plan.Emergency, plan.Region), emergency
	case numbers.Extension:
		d.Kind = Extension
	case numbers.Short:
		d.Region, d.Kind = plan.Region, Short
	case numbers.World:
		d.Region, d.Kind = world(d.Number.E164)
	case numbers.Other:
		if d.Number.Bare == "112" || d.Number.Bare == "911" {
			d.Kind = emergency // in the networks of every mobile phone, whatever the plan
		}
		d.Region, _ = world(d.Number.Bare)
	}
	return d
}

// world says whose number a number of the world is. One that is not valid, or not known to be, is of its country code's
// first region.
func world(e164 string) (region string, kind Kind) {
	parsed, err := phonenumbers.Parse(e164, "ZZ")
	if err != nil {
		return "", Unknown
	}
	code := int(parsed.GetCountryCode())
	if !phonenumbers.IsValidNumber(parsed) {
		return phonenumbers.GetRegionCodeForCountryCode(code), Unknown
	}
	region = phonenumbers.GetRegionCodeForNumber(parsed)
	switch code {
	case 870, 881, 882, 883:
		return region, Satellite
	}
	return region, kindOf(phonenumbers.GetNumberType(parsed))
}

func kindOf(t phonenumbers.PhoneNumberType) Kind {
	switch t {
	case phonenumbers.FIXED_LINE:
		return Fixed
	case phonenumbers.MOBILE:
		return Mobile
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return either
	case phonenumbers.TOLL_FREE:
		return TollFree
	case phonenumbers.PREMIUM_RATE:
		return Premium
	case phonenumbers.SHARED_COST:
		return SharedCost
	case phonenumbers.VOIP:
		return VoIP
	case phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER, phonenumbers.UAN, phonenumbers.VOICEMAIL:
		return Special
	}
	return Unknown
}

// among reports whether a list of kinds names this one.
func (k Kind) among(kinds []Kind) bool {
	if k == either {
		return slices.Contains(kinds, Fixed) || slices.Contains(kinds, Mobile)
	}
	return slices.Contains(kinds, k)
}

// String is what the destination is, without the number: "a premium number of FR".
func (d Destination) String() string {
	text := "a " + string(d.Kind) + " number"
	switch d.Kind {
	case Phones:
		return "a phone"
	case Unknown:
		text = "no number that is known to be valid"
	case Extension, emergency:
		text = d.Number.Kind.String()
	}
	if d.Region != "" && d.Region != worldwide {
		text += " of " + d.Region
	}
	return text
}

// worldwide is the region of numbers that belong to no country.
const worldwide = "001"

// under reports whether the number begins with one of the prefixes, "+331".
func (d Destination) under(prefixes []string) bool {
	number := cmp.Or(d.Number.E164, d.Number.Bare)
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(number, p) })
}
