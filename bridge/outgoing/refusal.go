package outgoing

import "fmt"

// Refusal is why a call is not made, or goes on no longer.
type Refusal struct {
	Reason Reason
	Why    string // one sentence, without the number
	Key    string // of the configuration, that says so; "" if none does
	Trunk  bool   // it is so on this trunk: another may take the call
}

// Error is the sentence and the key.
func (r *Refusal) Error() string {
	if r.Key == "" {
		return r.Why
	}
	return r.Why + " (" + r.Key + ")"
}

// Reason is what sort of refusal it is.
type Reason uint8

// The reasons.
const (
	Denied  Reason = iota + 1 // never allowed, as long as the configuration is what it is
	Busy                      // too many calls at once
	Spent                     // the minutes of the day are used up
	TooLong                   // the call has lasted as long as a call may
	Unsure                    // the counters cannot be asked
)

func denied(key, format string, args ...any) *Refusal {
	return &Refusal{Reason: Denied, Why: fmt.Sprintf(format, args...), Key: key}
}
