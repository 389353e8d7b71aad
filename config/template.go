package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// parseTemplate returns a function for a room's name that may have groups of expression in it, in the spelling of
// regexp.Expand, and finds those that expression does not have: Expand would put nothing in their place.
func parseTemplate(expression *regexp.Regexp) func(string) (string, error) {
	return func(text string) (string, error) {
		plain := "" // the text with a letter for every group
		for rest := text; rest != ""; {
			before, after, found := strings.Cut(rest, "$")
			plain += before
			if !found {
				break
			}
			if dollar, ok := strings.CutPrefix(after, "$"); ok {
				plain, rest = plain+"x", dollar
				continue
			}
			name, remainder, err := groupName(after)
			if err != nil {
				return "", err
			}
			if !hasGroup(expression, name) {
				return "", fmt.Errorf("to_match has no group %s (write ${1} before a letter, a digit or _)", name)
			}
			plain, rest = plain+"x", remainder
		}
		_, err := parseRoomName(plain)
		return text, err
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
