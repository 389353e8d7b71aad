package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Reason is why a request of ours is sent (RFC 3326). The zero Reason is none.
type Reason struct {
	Protocol string // "SIP" or "Q.850"
	Cause    int
	Text     string
}

// normalClearing is Q.850's cause of a call that ends as calls do.
const normalClearing = 16

// header returns the Reason header; nil for none.
func (r Reason) header() []sip.Header {
	if r.Protocol == "" {
		return nil
	}
	value := fmt.Sprintf("%s;cause=%d", r.Protocol, r.Cause)
	if r.Text != "" {
		value += ";text=" + quoted(r.Text)
	}
	return []sip.Header{sip.NewHeader("Reason", value)}
}

// reasonOf is an error as a Reason: the status that it would have refused a request with.
func reasonOf(err error) Reason {
	r := RefusalFor(err)
	code, _ := r.status()
	if errors.Is(err, ErrDisagreed) && code == sip.StatusInternalServerError {
		code = sip.StatusNotAcceptableHere
	}
	return Reason{Protocol: "SIP", Cause: code, Text: or(r.Warning.Text, err.Error())}
}

// String is a reason in one line, "Q.850 17 user busy"; "" for none.
func (r Reason) String() string {
	if r.Protocol == "" {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", r.Protocol, r.Cause, r.Text))
}

// becauseOf reads the values of Reason headers in an answer: that of the telephone network (Q.850) where there is one, else
// the first.
func becauseOf(values []string) (r Reason) {
	for _, v := range values {
		for _, one := range splitReasons(v) {
			read := readReason(one)
			if read.Protocol != "" && (r.Protocol == "" || r.Protocol != q850 && read.Protocol == q850) {
				r = read
			}
		}
	}
	return r
}

// q850 is the telephone network, in a Reason.
const q850 = "Q.850"

// splitReasons splits a header that lists several, at the commas outside of quotes.
func splitReasons(v string) (all []string) {
	inside, from := false, 0
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"':
			inside = !inside
		case v[i] == '\\' && inside:
			i++
		case v[i] == ',' && !inside:
			all, from = append(all, v[from:i]), i+1
		}
	}
	return append(all, v[from:])
}

// readReason reads one reason; zero where it has no cause.
func readReason(v string) Reason {
	before, text, _ := cutQuoted(v)
	fields := strings.Split(before, ";")
	r := Reason{Protocol: oneLine(strings.TrimSpace(fields[0])), Text: text}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(f), "=")
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16); err == nil && strings.EqualFold(strings.TrimSpace(name), "cause") {
			r.Cause = int(n)
			if strings.EqualFold(r.Protocol, q850) {
				r.Protocol = q850
			}
			r.Protocol = strings.ToValidUTF8(r.Protocol[:min(len(r.Protocol), maxReason)], "")
			r.Text = strings.ToValidUTF8(r.Text[:min(len(r.Text), maxReason)], "")
			return r
		}
	}
	return Reason{}
}

// maxReason is how much of a peer's reason is kept, in bytes.
const maxReason = 80

// heardReason is cause with the reasons that the peer gives for a BYE, for the log. Only what the RFC has is
// taken, on one line, and not much of it.
func heardReason(cause error, m received) error {
	return withReason(cause, reasonText(headerValues(m, "reason")))
}

func withReason(cause error, reason string) error {
	if reason == "" {
		return cause
	}
	return fmt.Errorf("%w (%s)", cause, reason)
}

// reasonText reads the values of Reason headers: "Q.850;cause=16;text=\"...\"" becomes "Q.850 16 ...".
func reasonText(values []string) string {
	var reasons []string
	for _, v := range values {
		before, text, _ := cutQuoted(v)
		fields := strings.Split(before, ";")
		said := oneLine(strings.TrimSpace(fields[0]))
		for _, f := range fields[1:] {
			name, value, _ := strings.Cut(strings.TrimSpace(f), "=")
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && strings.EqualFold(strings.TrimSpace(name), "cause") {
				said += " " + strconv.Itoa(n)
			}
		}
		if text != "" {
			said += " " + text
		}
		if said != "" {
			reasons = append(reasons, said)
		}
	}
	all := strings.Join(reasons, ", ")
	if len(all) > maxReason {
		all = strings.ToValidUTF8(all[:maxReason], "")
	}
	return all
}
