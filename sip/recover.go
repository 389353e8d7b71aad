package sip

import (
	"log/slog"
	"runtime/debug"
)

// recovered is deferred at the root of a goroutine: a panic ends what the goroutine did, never the gateway.
func recovered(log *slog.Logger, in string) {
	if r := recover(); r != nil {
		log.Error("panic", "in", in, "panic", r, "stack", string(debug.Stack()))
	}
}
