package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or worth a warning.
type Problem struct {
	Where string // "passerelle.yaml:12:5", "env PASSERELLE_DRAIN", "flag --drain"; "" if nobody said anything
	Path  string // the setting, such as "trunks[0].codecs[1]"; "" for the file as a whole
	Text  string

	line, column int
}

// String puts the parts together: "passerelle.yaml:12:5: trunks[0].codecs[1]: ...".
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Where, p.Path, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Errors is everything that is wrong with a configuration, in the order of the file.
type Errors []Problem

// Error returns all problems, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong.
type problems struct {
	errors, warnings Errors
}

// add notes an error at a place.
func (p *problems) add(at origin, path, format string, args ...any) {
	p.errors = append(p.errors, newProblem(at, path, format, args...))
}

// warn notes what is allowed and probably not meant.
func (p *problems) warn(at origin, path, format string, args ...any) {
	p.warnings = append(p.warnings, newProblem(at, path, format, args...))
}

func newProblem(at origin, path, format string, args ...any) Problem {
	return Problem{
		Where: at.precise(), Path: path, Text: fmt.Sprintf(format, args...),
		line: at.line, column: at.column,
	}
}

// toldBelow reports whether there is an error already at path or below it.
func (p *problems) toldBelow(path string) bool {
	return slices.ContainsFunc(p.errors, func(e Problem) bool {
		rest, ok := strings.CutPrefix(e.Path, path)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// sorted returns the problems in the order of the file.
func sorted(all Errors) Errors {
	slices.SortStableFunc(all, func(a, b Problem) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	return all
}

// origin is where a value comes from.
type origin struct {
	source       string // the file's name, "env PASSERELLE_...", "flag --..."; "" is the defaults
	line, column int    // in the file, from 1; 0 elsewhere
}

// String is "default", "passerelle.yaml:5", "env PASSERELLE_DRAIN" or "flag --drain".
func (o origin) String() string {
	switch {
	case o.source == "":
		return "default"
	case o.line == 0:
		return o.source
	}
	return fmt.Sprintf("%s:%d", o.source, o.line)
}

// precise is String with the column, and "" for the defaults.
func (o origin) precise() string {
	switch {
	case o.source == "":
		return ""
	case o.column == 0:
		return o.String()
	}
	return fmt.Sprintf("%s:%d:%d", o.source, o.line, o.column)
}
