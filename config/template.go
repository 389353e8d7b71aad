package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// parseTemplate returns a function for a room's name that may have groups of expression in it.
func parseTemplate(expression *regexp.Regexp) func(string) (string, error) {
	return func(text string) (string, error) {
		plain, _, err := skeleton(expression, text, "x")
		if err == nil {
			_, err = parseRoomName(plain)
		}
		return text, err
	}
}

// skeleton returns a template in the spelling of regexp.Expand with a letter in the place of every group, and how
// many characters are its own. It finds groups that expression does not have: Expand would put nothing in their
// place. Without an expression there is nothing to expand.
func skeleton(expression *regexp.Regexp, text, letter string) (plain string, own int, err error) {
	if expression == nil {
		return text, len(text), nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		own += len(before)
		if !found {
			return b.String(), own, nil
		}
		b.WriteString(letter)
		if dollar, ok := strings.CutPrefix(after, "$"); ok {
			text, own = dollar, own+1
			continue
		}
		name, remainder, err := groupName(after)
		if err != nil {
			return "", 0, err
		}
		if !hasGroup(expression, name) {
			return "", 0, fmt.Errorf("to_match has no group %s (write ${1} before a letter, a digit or _)", name)
		}
		text = remainder
	}
}

// groupName splits what follows a dollar sign into the group's name and the rest.
func groupName(text string) (name, rest string, err error) {
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		name, rest, ok = strings.Cut(inner, "}")
		if !ok || name == "" || strings.ContainsFunc(name, notInName) {
			return "", "", errors.New("a group in braces is wanted, such as ${1}")
		}
		return name, rest, nil
	}
	end := strings.IndexFunc(text, notInName)
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return "", "", errors.New("a dollar sign stands before a group's number or name; $$ is the sign itself")
	}
	return text[:end], text[end:], nil
}

// notInName reports whether c ends a group's name.
func notInName(c rune) bool {
	return c != '_' && (c > unicode.MaxASCII || !isLetterOrDigit(byte(c)))
}

// hasGroup reports whether expression has a group of that number or name; 0 is all of the match.
func hasGroup(expression *regexp.Regexp, name string) bool {
	if strings.Trim(name, "0123456789") == "" {
		for i := range expression.NumSubexp() + 1 {
			if fmt.Sprint(i) == name {
				return true
			}
		}
		return false
	}
	return slices.Contains(expression.SubexpNames(), name)
}

// parseRedirect returns a function for the SIP URI that a route sends callers to, likewise.
func parseRedirect(expression *regexp.Regexp) func(string) (string, error) {
	return func(text string) (string, error) {
		plain, _, err := skeleton(expression, text, "x")
		if err != nil {
			return "", err
		}
		u, err := url.Parse(plain)
		_, host, found := strings.Cut(plain, "@")
		if err != nil || u.Scheme != "sip" && u.Scheme != "sips" || !found || host == "" ||
			strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"", r) }) {
			return "", errors.New("a SIP address is wanted, such as sip:$1@gateway.example.org")
		}
		return text, nil
	}
}
