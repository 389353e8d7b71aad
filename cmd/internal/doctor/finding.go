package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Level is how a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // it works, or may, and somebody should look at it
	Bad  Level = "bad"  // it does not work
)

// Finding is one thing that was found, with what to do about it.
type Finding struct {
	About string `json:"about"` // what was examined: "this machine", "trunk carrier"
	Level Level  `json:"level"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // "" where there is nothing to be done
}

// do says what to do about it.
func (f *Finding) do(format string, args ...any) { f.Do = fmt.Sprintf(format, args...) }

// sheet is what is found out about one thing. It belongs to one goroutine at a time.
type sheet struct {
	about    string
	findings []Finding
}

func (s *sheet) add(l Level, format string, args []any) *Finding {
	s.findings = append(s.findings, Finding{About: s.about, Level: l, What: fmt.Sprintf(format, args...)})
	return &s.findings[len(s.findings)-1]
}

func (s *sheet) ok(format string, args ...any) *Finding   { return s.add(OK, format, args) }
func (s *sheet) warn(format string, args ...any) *Finding { return s.add(Warn, format, args) }
func (s *sheet) bad(format string, args ...any) *Finding  { return s.add(Bad, format, args) }

// Printer writes findings for people, those about one thing below its name.
type Printer struct {
	W      io.Writer
	Colour bool

	about string
	count map[Level]int
}

// Print writes one. What others have said is in it: nothing of it controls the terminal.
func (p *Printer) Print(f Finding) {
	if p.count == nil {
		p.count = make(map[Level]int)
	}
	p.count[f.Level]++
	if f.About != p.about {
		p.about = f.About
		fmt.Fprintln(p.W, p.paint("\x1b[1m", printable(f.About)))
	}
	fmt.Fprintf(p.W, "  %s  %s\n", p.paint(colourOf(f.Level), fmt.Sprintf("%-4s", f.Level)), printable(f.What))
	if f.Do != "" {
		fmt.Fprintf(p.W, "        do: %s\n", printable(f.Do))
	}
}

// Sum writes how many there were of each level, and reports whether nothing is bad.
func (p *Printer) Sum() (healthy bool) {
	fmt.Fprintf(p.W, "%d bad, %d to look at, %d ok\n", p.count[Bad], p.count[Warn], p.count[OK])
	return p.count[Bad] == 0
}

func (p *Printer) paint(with, text string) string {
	if !p.Colour {
		return text
	}
	return with + text + "\x1b[0m"
}

func colourOf(l Level) string {
	switch l {
	case OK:
		return "\x1b[32m"
	case Warn:
		return "\x1b[33m"
	}
	return "\x1b[31m"
}

// printable returns text without what is no letter, digit, sign or space, on one line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// listed joins names: "a", "a and b", "a, b and c".
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
