package config

import (
	"regexp"
	"testing"
)

func TestSkeleton(t *testing.T) {
	expression := regexp.MustCompile(`(a)(?P<site>b)(c)`)
	for name, test := range map[string]struct {
		template, plain string
		own             int
	}{
		"nothing but groups":        {"$1${site}$0", "xxx", 0},
		"text of its own":           {"room-$1", "room-x", 5},
		"a dollar sign is its own":  {"$$$1", "xx", 1},
		"no group at all":           {"lobby", "lobby", 5},
		"braces end a group's name": {"${1}23", "x23", 2},
		"nothing":                   {"", "", 0},
	} {
		plain, own, err := skeleton(expression, test.template, "x")
		if err != nil || plain != test.plain || own != test.own {
			t.Errorf("%s: %s is %q with %d of its own, %v; want %q, %d", name, test.template, plain, own, err, test.plain, test.own)
		}
	}
	if plain, own, err := skeleton(nil, "$1", "x"); plain != "$1" || own != 2 || err != nil {
		t.Errorf("without an expression: %q, %d, %v", plain, own, err)
	}
}
