package config

import (
	"errors"
	"slices"
	"strings"
)

// Range is numbers in a row, both ends included: of the world, "+33123456700", or of a house, "2000". Both have as many
// digits.
type Range struct{ First, Last string }

// Contains reports whether a number, written likewise, is in the range.
func (r Range) Contains(number string) bool {
	same := len(number) == len(r.First) && strings.HasPrefix(number, "+") == strings.HasPrefix(r.First, "+")
	return same && r.First <= number && number <= r.Last
}

// Owns reports whether a number is one that the trunk has given us.
func (n Numbers) Owns(number string) bool {
	return slices.ContainsFunc(n.Ours, func(r Range) bool { return r.Contains(number) })
}

// ours reads the numbers that a trunk has given us, and the one that we show.
func (b *builder) ours(t *tree, n *Numbers) {
	ours, present := t.get("ours"), t.get("present")
	n.Ours = values(b, ours, parseRange)
	n.Present = value(b, present, parseNumberOfOurs)
	switch {
	case ours.ok() && len(ours.items) == 0:
		b.add(ours.at, ours.path, "one at least is wanted")
	case present.ok() && len(n.Ours) > 0 && len(n.Ours) == len(ours.items) && !n.Owns(n.Present):
		b.add(present.at, present.path, "it is none of ours")
	case present == nil && len(n.Ours) > 0:
		n.Present = n.Ours[0].First
		t.put("present", n.Present)
	}
}

// presents makes the number that a trunk knows us by the one that we show, where nobody said which.
func (b *builder) presents(t *tree, k *Trunk) {
	numbers := t.get("numbers")
	if k.Numbers.Present != "" || k.Register == nil || numbers.get("present") != nil || numbers.get("ours") != nil {
		return
	}
	user := k.Register.User
	if abroad, ok := strings.CutPrefix(user, "00"); ok { // as some carriers write a number of the world
		user = "+" + abroad
	}
	number, err := parseNumberOfOurs(user)
	if err != nil || number[0] != '+' {
		return
	}
	if numbers == nil {
		numbers = &tree{setting: t.setting.find("numbers"), path: join(t.path, "numbers"), keys: make(map[string]*tree)}
		t.keys["numbers"] = numbers
	}
	if numbers.ok() {
		numbers.put("present", number)
		k.Numbers.Present = number
	}
}

// parseNumberOfOurs reads a number, which it returns without what is between its digits.
func parseNumberOfOurs(text string) (string, error) {
	if number, ok := worldDigits(text); ok && len(number) > len("+123") {
		return number, nil
	}
	if text == "" || len(text) > 15 || strings.Trim(text, "0123456789") != "" {
		return "", errors.New("a number is wanted, such as +33123456700 or, in a house, 2000")
	}
	return text, nil
}

// parseRange reads a number, or the first and the last of some.
func parseRange(text string) (Range, error) {
	first, last, several := strings.Cut(text, "..")
	if !several {
		last = first
	}
	from, err := parseNumberOfOurs(first)
	if err != nil {
		return Range{}, err
	}
	to, err := parseNumberOfOurs(last)
	switch r := (Range{from, to}); {
	case err != nil:
		return Range{}, err
	case !r.Contains(from) || !r.Contains(to):
		return Range{}, errors.New("the first of a range comes before the last, and has as many digits")
	default:
		return r, nil
	}
}
