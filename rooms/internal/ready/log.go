// Package ready holds what every backend prepares alike: pion's log, certificate and codec, the reading of packets, and the events of a seat.
// It keeps no room.
package ready

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"

	"github.com/pion/logging"
	"golang.org/x/time/rate"
)

// Log writes what pion has to say to slog. Strangers on the network can make pion warn, packet by
// packet: its warnings are therefore for debugging, and its errors are warnings, a few a second at most.
type Log struct {
	log    *slog.Logger
	errors *rate.Limiter
}

var _ logging.LoggerFactory = Log{}

// NewLog returns the factory of pion's loggers.
func NewLog(log *slog.Logger) Log {
	return Log{log: log, errors: rate.NewLimiter(1, 5)}
}

// NewQuietLog returns the factory of loggers all of whose words are for debugging: where the connections are told of
// by whoever has them, and no stranger has a hand in them.
func NewQuietLog(log *slog.Logger) Log { return Log{log: log, errors: rate.NewLimiter(0, 0)} }

// NewLogger returns the logger of one part of pion.
func (p Log) NewLogger(scope string) logging.LeveledLogger {
	return scopedLog{log: p.log.With("pion", scope), errors: p.errors}
}

type scopedLog struct {
	log    *slog.Logger
	errors *rate.Limiter
}

func (scopedLog) Trace(string)          {}
func (scopedLog) Tracef(string, ...any) {}

func (l scopedLog) Debug(msg string)            { l.debug(msg) }
func (l scopedLog) Debugf(f string, arg ...any) { l.debugf(f, arg) }
func (l scopedLog) Info(msg string)             { l.debug(msg) }
func (l scopedLog) Infof(f string, arg ...any)  { l.debugf(f, arg) }
func (l scopedLog) Warn(msg string)             { l.debug(msg) }
func (l scopedLog) Warnf(f string, arg ...any)  { l.debugf(f, arg) }

func (l scopedLog) Error(msg string) {
	if l.errors.Allow() {
		l.log.Warn(msg)
		return
	}
	l.debug(msg)
}

func (l scopedLog) Errorf(f string, arg ...any) {
	if !closing(arg) && l.errors.Allow() {
		l.log.Warn(fmt.Sprintf(f, arg...))
		return
	}
	l.debugf(f, arg)
}

// closing reports whether an error is that somebody else has left: a packet that crosses its end is no news.
func closing(arg []any) bool {
	return slices.ContainsFunc(arg, func(a any) bool {
		err, ok := a.(error)
		return ok && (errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed))
	})
}

func (l scopedLog) debug(msg string) { l.log.Debug(msg) }

// debugf formats only what somebody reads.
func (l scopedLog) debugf(f string, arg []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(f, arg...))
	}
}
