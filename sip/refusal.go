package sip

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// RefusalFor returns the refusal that an error asks for by its methods SIPStatus() (code int, reason string)
// and Warning() (code int, text string), which the errors of sip/sdp and sip/rtp have: 500 if it has none.
func RefusalFor(err error) Refusal {
	r := Refusal{Code: sip.StatusInternalServerError}
	var status interface {
		error
		SIPStatus() (code int, reason string)
	}
	if errors.As(err, &status) {
		r.Code, r.Reason = status.SIPStatus()
	}
	var warning interface {
		error
		Warning() (code int, text string)
	}
	if errors.As(err, &warning) {
		r.Warning.Code, r.Warning.Text = warning.Warning()
	}
	return r
}

// PassedOn is the refusal of one peer as ours to another. What only the first can mean, a challenge or a redirection, becomes
// 500: the other cannot answer it.
func (e *StatusError) PassedOn() Refusal {
	r := Refusal{Code: e.Code, Reason: e.Reason, Because: e.Because}
	if e.Code < 400 || e.Code == sip.StatusUnauthorized || e.Code == sip.StatusProxyAuthRequired {
		r.Code, r.Reason = sip.StatusInternalServerError, ""
	}
	return r
}

// status returns the code and its phrase. What is no refusal becomes 500.
func (r Refusal) status() (code int, reason string) {
	if r.Code < 300 || r.Code > 699 {
		return sip.StatusInternalServerError, phrase(sip.StatusInternalServerError)
	}
	if r.Reason != "" {
		return r.Code, r.Reason
	}
	return r.Code, phrase(r.Code)
}

// headers returns what goes with the status; agent is who warns.
func (r Refusal) headers(agent string) []sip.Header {
	var hs []sip.Header
	if r.Warning.Text != "" {
		w := r.Warning
		if w.Code < 300 || w.Code > 399 {
			w.Code = 399
		}
		hs = append(hs, sip.NewHeader("Warning", warningValue(w, agent)))
	}
	if r.RetryAfter > 0 {
		hs = append(hs, retryAfter(r.RetryAfter))
	}
	hs = append(hs, r.Because.header()...)
	if r.Contact != "" {
		hs = append(hs, sip.NewHeader("Contact", "<"+oneLine(r.Contact)+">"))
	}
	return hs
}

func retryAfter(d time.Duration) sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
}

// phrase returns the reason phrase of a status (RFC 3261 section 21).
func phrase(code int) string {
	switch code {
	case sip.StatusTemporarilyUnavailable:
		return "Temporarily Unavailable"
	case sip.StatusCallTransactionDoesNotExists:
		return "Call/Transaction Does Not Exist"
	case sip.StatusBadExtension:
		return "Bad Extension"
	case sip.StatusLoopDetected:
		return "Loop Detected"
	case sip.StatusTooManyHops:
		return "Too Many Hops"
	case sip.StatusAddressIncomplete:
		return "Address Incomplete"
	case sip.StatusAmbiguous:
		return "Ambiguous"
	case sip.StatusMovedTemporarily:
		return "Moved Temporarily"
	case sip.StatusBusyHere:
		return "Busy Here"
	case sip.StatusRequestTerminated:
		return "Request Terminated"
	case sip.StatusNotAcceptableHere:
		return "Not Acceptable Here"
	case statusIntervalTooSmall:
		return "Session Interval Too Small"
	case statusBadInfoPackage:
		return "Bad Info Package"
	case statusBadEvent:
		return "Bad Event"
	case sip.StatusRequestPending:
		return "Request Pending"
	case sip.StatusInternalServerError:
		return "Server Internal Error"
	case sip.StatusGatewayTimeout:
		return "Server Time-out"
	case sip.StatusVersionNotSupported:
		return "Version Not Supported"
	case sip.StatusGlobalBusyEverywhere:
		return "Busy Everywhere"
	case sip.StatusGlobalDecline:
		return "Decline"
	case sip.StatusGlobalDoesNotExistAnywhere:
		return "Does Not Exist Anywhere"
	case statusUnsupportedScheme:
		return "Unsupported URI Scheme"
	}
	if p := http.StatusText(code); p != "" { // the RFC took the rest from there
		return p
	}
	return "Refused"
}

// Statuses that sipgo has no name for.
const (
	statusUnsupportedScheme = 416
	statusIntervalTooSmall  = 422 // RFC 4028
	statusBadInfoPackage    = 469 // RFC 6086
	statusBadEvent          = 489 // RFC 6665
)

// statusError turns a final answer into the error that a caller gets.
func statusError(res *sip.Response) error {
	e := &StatusError{Code: res.StatusCode, Reason: res.Reason, Because: becauseOf(headerValues(res, "reason"))}
	if w := headerValues(res, "warning"); len(w) > 0 {
		e.Warning = parseWarning(w[0])
	}
	if res.StatusCode < 400 {
		for _, h := range res.GetHeaders("contact") {
			if c, ok := h.(*sip.ContactHeader); ok {
				e.Contact = append(e.Contact, c.Address.String())
			}
		}
	}
	return e
}

// parseWarning reads the first warning of a Warning header: code, agent, quoted text.
func parseWarning(v string) Warning {
	if len(v) < 4 {
		return Warning{}
	}
	code, err := strconv.Atoi(v[:3])
	if err != nil || code < 300 || code > 399 {
		return Warning{}
	}
	_, text, ok := cutQuoted(v)
	if !ok {
		return Warning{}
	}
	return Warning{Code: code, Text: text}
}

// cutQuoted returns what stands before the first quoted-string, and what is inside it.
func cutQuoted(v string) (before, inside string, ok bool) {
	start := -1
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"' && start < 0:
			start = i + 1
		case v[i] == '\\' && start >= 0:
			i++
		case v[i] == '"':
			return v[:start-1], oneLine(unescapeQuotes(v[start:i])), true
		}
	}
	return v, "", false
}
