package bridge

import (
	"fmt"
	"strings"
)

// stepsKept bounds how many steps a call keeps; Explain has all of them.
const stepsKept = 32

// Trace is why a call goes where it goes, or nowhere: what was asked, in its order. There is no PIN in it.
type Trace struct {
	Steps  []Step `json:"steps"`
	More   int    `json:"more,omitempty"` // steps that are not kept
	Called string `json:"called"`
	End    string `json:"end"`            // where it goes, or why nowhere
	Code   int    `json:"code,omitempty"` // SIP status that refuses the call; 0: it goes somewhere

	most int // steps; 0 is no bound
}

// Step is one question of a trace.
type Step struct {
	Asked string `json:"asked"` // "trunk", "called", "caller", "route 3"
	Yes   bool   `json:"yes"`
	Why   string `json:"why"`
}

// add notes a step.
func (t *Trace) add(asked string, yes bool, format string, args ...any) {
	if t.most > 0 && len(t.Steps) >= t.most && !yes {
		t.More++
		return
	}
	t.Steps = append(t.Steps, Step{asked, yes, fmt.Sprintf(format, args...)})
}

// refused notes why a call goes nowhere.
func (t *Trace) refused(to destination, code int, format string, args ...any) (destination, error) {
	t.End, t.Code = fmt.Sprintf(format, args...), code
	to.trace = *t
	return to, t.refusal()
}

// refusal is the trace's answer; the text is for those who are told why.
func (t *Trace) refusal() *refusal { return refuse(t.Code, "%s", t.End) }

// lineBounds: what one line of a log, or a header, has room for.
const (
	routesInLine = 6
	longestLine  = 400 // bytes, of a Warning
)

// String is the trace in one line: who calls whom, the routes that were looked at last, and the end.
func (t *Trace) String() string {
	var parts []string
	first := len(t.Steps) - routesInLine
	left := t.More
	for i, s := range t.Steps {
		switch {
		case !strings.HasPrefix(s.Asked, "route "):
			parts = append(parts, s.Asked+" "+s.Why)
		case i < first:
			left++
		case s.Yes:
			parts = append(parts, s.Asked+" takes it")
		default:
			parts = append(parts, s.Asked+": "+s.Why)
		}
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("%d more routes do not match", left))
	}
	return strings.Join(append(parts, t.End), "; ")
}

// warning is String for a header.
func (t *Trace) warning() string {
	line := t.String()
	if len(line) <= longestLine {
		return line
	}
	return strings.ToValidUTF8(line[:longestLine], "") + "..."
}
