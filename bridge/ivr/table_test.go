package ivr

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func (s state) String() string {
	return [...]string{"", "fresh", "asking", "listening", "entering", "finding", "waiting", "holding", "admitting", "leaving", "admitted", "gone"}[s]
}

func (e event) String() string {
	return [...]string{
		"", "no PIN came", "no PIN, but something, came", "a PIN came", "digit", "the PIN is whole", "too short", "`#`", "`*`",
		"all is said", "late", "silent, the last time", "right", "wrong", "wrong, the last time", "trouble", "overtime",
	}[e]
}

func (a action) String() string {
	return [...]string{"", "-", "-", "look up", "ask", "ask in all languages", "change the language, ask", "", "music"}[a]
}

// does is what a row does, in words.
func (r row) does() string {
	did := r.do.String()
	if r.words != "" {
		did = strings.TrimSuffix("say `"+string(r.words)+"`, "+did, ", ")
	}
	if r.to == leaving && r.words != Goodbye {
		did += ", `" + string(Goodbye) + "`"
	}
	return did
}

// TestTable holds what must be true of the table as a whole.
func TestTable(t *testing.T) {
	rows := make(map[string]bool)
	reached := map[state]bool{fresh: true}
	for _, r := range menuTable() {
		key := fmt.Sprint(r.from, r.event)
		if rows[key] {
			t.Errorf("two rows for %s", key)
		}
		rows[key], reached[r.to] = true, true
		if r.from.ended() {
			t.Errorf("%s follows the end", r.rule)
		}
		if r.to == leaving && r.do != say {
			t.Errorf("%s: nobody is sent away without a word", r.rule)
		}
		if r.from == entering && r.to == asking && r.event != keyStar && r.words == "" {
			t.Errorf("%s: the caller is not told why it begins again", r.rule)
		}
	}
	for s := fresh; s <= gone; s++ {
		if !reached[s] {
			t.Errorf("%s is never reached", s)
		}
		for _, e := range duties(s) {
			if !rows[fmt.Sprint(s, e)] {
				t.Errorf("%s has no row for: %s", s, e)
			}
		}
	}
}

// duties are the events that a state must not ignore, or it would last for ever.
func duties(s state) []event {
	switch s {
	case asking:
		return []event{said, keyDigit, keyEnd, keyPound, keyStar, overtime}
	case listening:
		return []event{late, silentLast, keyDigit, keyEnd, keyPound, keyStar, overtime}
	case entering:
		return []event{keyEnd, keyShort, silentLast, keyDigit, keyStar, overtime}
	case finding:
		return []event{late, rightPIN, wrongPIN, wrongLast, trouble}
	case waiting:
		return []event{said, rightPIN, wrongPIN, wrongLast, trouble}
	case holding:
		return []event{rightPIN, wrongPIN, wrongLast, trouble}
	case admitting, leaving:
		return []event{said}
	}
	return nil
}

const menuDoc = "../../docs/menu.md"

// TestMenuDoc holds what docs/menu.md prints to the code and the texts; -update writes it.
func TestMenuDoc(t *testing.T) {
	file, err := os.ReadFile(menuDoc)
	if err != nil {
		t.Fatal(err)
	}
	want := printed(t, printed(t, string(file), "table", printTable()), "words", printWords(t))
	if *update {
		if err := os.WriteFile(menuDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(file) != want {
		t.Errorf("%s is not what the code says: go test ./bridge/ivr -run TestMenuDoc -update", menuDoc)
	}
}

// printed replaces what is between two marks of a text.
func printed(t *testing.T, text, mark, with string) string {
	t.Helper()
	begin, end := "<!-- "+mark+" -->\n", "<!-- end of "+mark+" -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for %s", menuDoc, mark)
	}
	return before + begin + with + end + after
}

func printTable() string {
	var b strings.Builder
	b.WriteString("\n| state | event | next | then | rule |\n|---|---|---|---|---|\n")
	last := state(0)
	for _, r := range menuTable() {
		name := ""
		if r.from != last {
			name, last = r.from.String(), r.from
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, r.event, r.to, r.does(), r.rule)
	}
	return b.String() + "\n"
}

func printWords(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| prompt | English | French |\n|---|---|---|\n")
	en, fr := words(t, "en"), words(t, "fr")
	for _, p := range Prompts() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p, en[p], fr[p])
	}
	return b.String() + "\n"
}
