package config

import (
	"regexp"
	"strconv"
	"strings"
)

// quoted returns text in quotes, not all of it if it is long, and without the secrets of a URL.
func quoted(text string) string {
	const enough = 60
	if strings.Contains(text, "://") {
		text = withoutSecrets(text)
	}
	if len(text) <= enough {
		return strconv.Quote(text)
	}
	return strconv.Quote(strings.ToValidUTF8(text[:enough], "")) + "..."
}

// withoutSecrets takes the password and the values of the query out of what was meant to be a URL.
func withoutSecrets(text string) string {
	text = regexp.MustCompile(`(://[^/?#@]*?:)[^/]*@`).ReplaceAllString(text, "$1"+redacted+"@")
	return regexp.MustCompile(`([?&][^=&#]*=)[^&#]*`).ReplaceAllString(text, "$1"+redacted)
}

// listed joins words as people do: "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
