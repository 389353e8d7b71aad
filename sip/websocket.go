package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// webSocket carries messages, each in one of its own (RFC 7118 section 5): no stream has to be cut. What is read and
// written, and when, is the streamConn's business.
type webSocket struct {
	*websocket.Conn
	ctx context.Context //nolint:containedctx // sipgo reads and writes without one; this is never done
}

// read returns the next message. begun is called when it has begun.
func (w *webSocket) read(begun func() error) ([]byte, error) {
	_, r, err := w.Reader(w.ctx)
	if err != nil {
		return nil, err
	}
	if err := begun(); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// write sends a message: as text where it is text, since that is what every script can read.
func (w *webSocket) write(msg []byte) error {
	kind := websocket.MessageText
	if !utf8.Valid(msg) {
		kind = websocket.MessageBinary
	}
	return w.Write(w.ctx, kind, msg)
}

// watch pings the peer until it does not answer, or the connection is closed. It returns then.
func (w *webSocket) watch(idle time.Duration, closed <-chan struct{}) {
	tick := time.NewTicker(idle / 2)
	defer tick.Stop()
	for {
		select {
		case <-closed:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(w.ctx, idle/2)
		err := w.Ping(ctx)
		cancel()
		if err != nil {
			return
		}
	}
}

// sized returns a message with the length of its body in it, which it may leave out, and without what is beyond the
// body (RFC 3261 section 18.3).
func sized(msg []byte) ([]byte, error) {
	end := bytes.Index(msg, []byte(crlfcrlf))
	if end < 0 {
		return msg, nil // there is no body; the parser has the word
	}
	head, body := msg[:end+len(crlfcrlf)], msg[end+len(crlfcrlf):]
	switch length, err := contentLength(head); {
	case errors.Is(err, errNoLength):
		line := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
		return append(append(append(make([]byte, 0, len(msg)+len(line)), msg[:end+len(crlf)]...), line...), body...), nil
	case err != nil:
		return msg, err
	case length > len(body):
		return msg, errBadLength
	default:
		return msg[:len(head)+length], nil
	}
}

// frame takes one message of a WebSocket: a keep-alive answered (RFC 7118 section 6), or a message judged.
func (s *streamConn) frame() error {
	msg, err := s.web.read(func() error { return s.SetReadDeadline(time.Now().Add(s.guard.limits.MessageTime)) })
	if err == nil {
		err = s.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return io.EOF
	}
	start := bytes.TrimLeft(msg, crlf) // a CRLF before the start-line is ignored (RFC 3261 section 7.5)
	if len(start) == 0 {
		if err := s.inTurn(); err != nil || string(msg) != crlfcrlf {
			return err
		}
		_, err := s.Write([]byte(crlf))
		return err
	}
	msg, err = sized(start)
	if err != nil {
		s.refuse(msg, err)
		return io.EOF
	}
	return s.judge(msg)
}
