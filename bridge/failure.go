package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/rooms"
	"passerelle/sip"
)

// CallFailed is why nobody came.
type CallFailed struct {
	Why    string     // in plain words
	Code   int        // SIP status; 0 if there is none
	Reason string     // of the other end (RFC 3326); "" if it gave none
	Words  ivr.Prompt // that the room heard; "" if none
	Err    error
}

// Error is the plain words, and what is behind them.
func (f *CallFailed) Error() string { return explained(f.Why, f.Code, f.Reason) }

// Explained is why the call has failed or ended, in plain words, and what is behind them.
func (p Progress) Explained() string { return explained(p.Why, p.Code, p.Reason) }

func explained(why string, code int, reason string) string {
	var more []string
	if code != 0 {
		more = append(more, fmt.Sprintf("SIP %d", code))
	}
	if reason != "" {
		more = append(more, reason)
	}
	if len(more) == 0 {
		return why
	}
	return why + " (" + strings.Join(more, ", ") + ")"
}

// Unwrap is what is behind it.
func (f *CallFailed) Unwrap() error { return f.Err }

// failure is a way in which a call out fails, in words.
type failure struct {
	why    string
	words  ivr.Prompt // said in the room; "": nothing
	code   int
	reason string
	// setting is the key of the configuration that does not let the call out; "" if that is not why.
	setting string
}

// failureOf says why a call out has failed or ended.
func failureOf(err error) failure {
	var status *sip.StatusError
	var own *refusal
	var denied *outgoing.Refusal
	switch {
	case errors.Is(err, errSpent), errors.Is(err, errTimeUp), errors.Is(err, rooms.ErrRemoved), errors.Is(err, rooms.ErrClosed), errors.Is(err, errTransferred), errors.Is(err, errEnded), errors.Is(err, errReplaced):
		return failure{why: err.Error()}
	case errors.As(err, &denied):
		return failure{why: denied.Error(), setting: denied.Key, words: either(denied.Reason == outgoing.Denied, ivr.CallNotAllowed, ivr.CallFailed)}
	case errors.As(err, &status):
		f := refusedThere(status)
		f.code, f.reason = status.Code, status.Because.String()
		return f
	case errors.As(err, &own):
		return failure{why: own.text, words: ivr.NotReachable, code: own.code}
	case errors.Is(err, errRangOut):
		return nobodyAnswered()
	case errors.Is(err, errNoConsent):
		return failure{why: "it was answered, and nobody wanted to join", words: ivr.NoAnswer}
	case errors.Is(err, sip.ErrBye):
		return failure{why: "the other end hung up", words: ivr.CallRefused}
	case errors.Is(err, context.Canceled), errors.Is(err, errDrained):
		return failure{why: "it was hung up here"}
	}
	for _, room := range []error{rooms.ErrNoRoom, rooms.ErrFull, rooms.ErrEncrypted, rooms.ErrUnavailable} {
		if errors.Is(err, room) {
			return failure{why: room.Error(), words: ivr.CallFailed}
		}
	}
	return failure{why: "no connection: " + fmt.Sprint(err), words: ivr.CallFailed}
}

// refusedThere puts the answer of the other end into words. Where it gives a cause of the telephone network (Q.850) that says
// something, that is more than the status that it was made into.
func refusedThere(s *sip.StatusError) failure {
	if s.Because.Protocol == "Q.850" {
		switch s.Because.Cause {
		case 17:
			return itIsBusy()
		case 1, 22, 28:
			return notInService()
		case 18, 19:
			return nobodyAnswered()
		case 20:
			return notReachable()
		case 21:
			return itWasRefused()
		}
	}
	switch s.Code {
	case 486, 600:
		return itIsBusy()
	case 404, 410, 484, 604:
		return notInService()
	case 408:
		return nobodyAnswered()
	case 480:
		return notReachable()
	case 403, 603, 607, 608:
		return itWasRefused()
	}
	return failure{why: "no connection", words: ivr.CallFailed}
}

func itIsBusy() failure { return failure{why: "the number is busy", words: ivr.Busy} }
func notInService() failure {
	return failure{why: "the number is not in service", words: ivr.NumberUnknown}
}
func nobodyAnswered() failure { return failure{why: "nobody answered", words: ivr.NoAnswer} }
func itWasRefused() failure   { return failure{why: "the call was refused", words: ivr.CallRefused} }
func notReachable() failure {
	return failure{why: "the number cannot be reached at the moment", words: ivr.NotReachable}
}
