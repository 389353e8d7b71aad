package meet

import (
	"errors"
	"fmt"
	"net/http"
)

// What can be wrong with what LiveKit and Meet answer.
var (
	errNoRule  = errors.New("LiveKit has no dispatch rule for it")
	errForeign = errors.New("this is no answer of Meet's API")
	errStatus  = errors.New("the waiting room answers a status that is not known")
	errURL     = errors.New("not a room of Meet's")
)

// Error is trouble between the gateway, LiveKit and Meet that an administrator has to mend. It holds no PIN, no token
// and nothing of what was answered but its status.
type Error struct {
	Act    string // what was tried
	Err    error  // what came of it
	Remedy string // what to do about it, in the words of the configuration file and of Meet's settings
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v; %s", e.Act, e.Err, e.Remedy) }

func (e *Error) Unwrap() error { return e.Err }

// StatusError is an HTTP status where another was expected.
type StatusError struct {
	Code     int
	Location string // where a redirect leads, without its query
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("HTTP %d %s", e.Code, http.StatusText(e.Code))
	if e.Location != "" {
		text += " to " + e.Location
	}
	return text
}
