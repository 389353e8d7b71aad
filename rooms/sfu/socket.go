package sfu

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// What a socket is given.
const (
	outboxSize   = 32               // messages a browser may lag behind before it is dropped
	writeTimeout = 10 * time.Second // for one message
	pingInterval = 20 * time.Second
	pingTimeout  = 10 * time.Second
	closeTimeout = time.Second // for the browser to say goodbye too
)

// wire is the WebSocket as socket uses it.
type wire interface {
	Write(ctx context.Context, kind websocket.MessageType, message []byte) error
	Ping(ctx context.Context) error
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

// socket writes to one browser's WebSocket. Nobody ever waits for it: whoever has something to say puts
// it into the outbox, and a browser whose outbox is full is dropped.
type socket struct {
	wire   wire
	outbox chan []byte
	cancel context.CancelFunc // drops the connection

	once sync.Once
	last chan struct{}        // closed: nothing more is put into the outbox
	code websocket.StatusCode // set before last is closed
}

// newSocket returns a socket and the context that ends with it. write and ping must be run.
func newSocket(ctx context.Context, w wire) (*socket, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	return &socket{wire: w, outbox: make(chan []byte, outboxSize), last: make(chan struct{}), cancel: cancel}, ctx
}

// send queues a message. It never blocks.
func (s *socket) send(message []byte) {
	select {
	case <-s.last:
		return
	default:
	}
	select {
	case s.outbox <- message:
	default:
		s.drop()
	}
}

// lags says that the browser is behind; what will be said anew soon can then be left out.
func (s *socket) lags() bool { return len(s.outbox) > outboxSize/2 }

// finish sends a last message, if there is one, and closes the WebSocket behind it.
func (s *socket) finish(message []byte, code websocket.StatusCode) {
	s.once.Do(func() {
		if message != nil {
			s.send(message)
		}
		s.code = code
		close(s.last)
	})
}

// drop ends the connection at once.
func (s *socket) drop() { s.cancel() }

// write is the goroutine that writes, until the socket is finished or dropped.
func (s *socket) write(ctx context.Context) {
	defer s.drop()
	defer func() { _ = s.wire.CloseNow() }()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-s.outbox:
			if s.put(ctx, m) != nil {
				return
			}
		case <-s.last:
			for len(s.outbox) > 0 {
				if s.put(ctx, <-s.outbox) != nil {
					return
				}
			}
			defer time.AfterFunc(closeTimeout, s.drop).Stop()
			_ = s.wire.Close(s.code, "") // it is the reader who hears the goodbye
			return
		}
	}
}

func (s *socket) put(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.wire.Write(ctx, websocket.MessageText, message)
}

// ping is the goroutine that finds out whether the browser is still there.
func (s *socket) ping(ctx context.Context) {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pong, cancel := context.WithTimeout(ctx, pingTimeout)
		err := s.wire.Ping(pong)
		cancel()
		if err != nil {
			s.drop()
			return
		}
	}
}
