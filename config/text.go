package config

import (
	"regexp"
	"strconv"
	"strings"
)

// quoted returns text in quotes, not all of it if it is long, and without the password of a URL.
func quoted(text string) string {
	const enough = 60
	text = urlPassword().ReplaceAllString(text, "$1"+redacted+"@")
	if len(text) <= enough {
		return strconv.Quote(text)
	}
	return strconv.Quote(strings.ToValidUTF8(text[:enough], "")) + "..."
}

func urlPassword() *regexp.Regexp { return regexp.MustCompile(`(://[^/?#@]*?:)[^/]*@`) }

// listed joins words as people do: "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
