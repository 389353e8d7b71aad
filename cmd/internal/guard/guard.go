// Package guard is the root of a command's goroutines: what panics there ends with an error. It does not know
// what runs on them.
package guard

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic, as the error of what panicked.
type PanicError struct {
	In    string // what panicked
	Value any    // what it panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s: panic: %v\n%s", e.In, e.Value, e.Stack) }

// Root returns f with a recover at its root: a panic is a [*PanicError] that names what panicked.
func Root(in string, f func() error) func() error {
	return func() (err error) {
		defer func() {
			if value := recover(); value != nil {
				err = &PanicError{In: in, Value: value, Stack: debug.Stack()}
			}
		}()
		return f()
	}
}
