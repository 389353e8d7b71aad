package sip

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// streamConn is a TCP or TLS connection, or a WebSocket in one, behind the guard, as sipgo sees it: every read returns
// one whole message that the guard passes, or a piece of it where the reader's buffer is small.
type streamConn struct {
	net.Conn
	network       string     // "tcp", "tls", "ws" or "wss"
	web           *webSocket // of ws and wss; else nil
	peer          string     // whose certificate came with it (TLS.Peer)
	remote, local netip.AddrPort
	guard         *guard
	log           *slog.Logger
	onGone        func(*streamConn) // once, when nobody will read any more
	gone          func()
	reading       chan struct{} // closed with the first read: sipgo has the connection in its pool
	began         func()
	closed        chan struct{}
	close         func()

	// The reading goroutine's.
	split splitter
	out   []byte    // of a message that is being handed over
	since time.Time // when the message that is arriving began, or the connection
	heard bool      // a whole message
	buf   [4096]byte
}

func newStreamConn(c net.Conn, network, peer string, g *guard, log *slog.Logger, onGone func(*streamConn)) *streamConn {
	s := &streamConn{
		Conn: c, network: network, peer: peer, guard: g, log: log, onGone: onGone,
		remote:  addrPort(c.RemoteAddr()),
		local:   addrPort(c.LocalAddr()),
		reading: make(chan struct{}),
		closed:  make(chan struct{}),
		split:   splitter{max: g.limits.MessageSize},
		since:   time.Now(),
	}
	s.began = sync.OnceFunc(func() { close(s.reading) })
	s.close = sync.OnceFunc(func() { close(s.closed) })
	s.gone = sync.OnceFunc(func() { s.onGone(s) })
	return s
}

// Read returns bytes of the next message that passes. It ends with io.EOF, whatever the reason: there is
// nothing that sipgo could do about it.
func (s *streamConn) Read(b []byte) (n int, err error) {
	s.began()
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic", "in", "read "+s.remote.String(), "panic", r)
			n, err = 0, io.EOF
		}
		if err != nil {
			_ = s.Close()
			s.gone()
		}
	}()
	for len(s.out) == 0 {
		if err := s.advance(); err != nil {
			return 0, err
		}
	}
	n = copy(b, s.out)
	s.out = s.out[n:]
	return n, nil
}

// advance takes one step: a keep-alive answered, a message judged, or more bytes read.
func (s *streamConn) advance() error {
	if s.web != nil {
		return s.frame()
	}
	tok, msg, err := s.split.next()
	switch {
	case err != nil:
		s.refuse(msg, err)
		return io.EOF
	case tok == ping:
		if err := s.inTurn(); err != nil {
			return err
		}
		_, err = s.Write([]byte(crlf))
		return err
	case tok == message:
		s.since, s.heard = time.Now(), true
		return s.judge(msg)
	}
	return s.fill()
}

// fill reads once. A message that has begun must be whole in time, and so must the first one.
func (s *streamConn) fill() error {
	var deadline time.Time
	if s.split.within() || !s.heard {
		deadline = s.since.Add(s.guard.limits.MessageTime)
	}
	if err := s.SetReadDeadline(deadline); err != nil {
		return io.EOF
	}
	n, err := s.Conn.Read(s.buf[:])
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.guard.knocked(s.remote, s.network, "message not whole in time")
		}
		return io.EOF
	}
	if !s.split.within() && s.heard {
		s.since = time.Now()
	}
	s.split.write(s.buf[:n])
	return nil
}

// judge asks the guard about one message.
func (s *streamConn) judge(msg []byte) error {
	if err := s.inTurn(); err != nil {
		return err
	}
	v := s.guard.judge(packet{src: s.remote, network: s.network, data: msg}, time.Now())
	switch {
	case v.pass:
		s.out = msg
	case v.reply != nil:
		if _, err := s.Write(v.reply); err != nil {
			return io.EOF
		}
	default:
		s.guard.knocked(s.remote, s.network, v.why)
	}
	if v.fatal {
		return io.EOF
	}
	return nil
}

// refuse answers what can not be cut into messages, as well as that goes. The connection is closed after it.
func (s *streamConn) refuse(msg []byte, err error) {
	p := packet{src: s.remote, network: s.network, data: msg}
	v := s.guard.bad(p, "Bad Request")
	if errors.Is(err, errTooLarge) {
		v = s.guard.answer(p, 513, "Message Too Large")
	}
	if v.reply == nil {
		s.guard.knocked(s.remote, s.network, v.why)
		return
	}
	_, _ = s.Write(v.reply)
}

// Write sends one message, in time or not at all: a peer that does not read loses the connection.
func (s *streamConn) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.guard.limits.WriteTime)); err != nil {
		return 0, err
	}
	n, err := len(b), error(nil)
	if s.web != nil {
		err = s.web.write(b)
	} else {
		n, err = s.Conn.Write(b)
	}
	if err != nil {
		_ = s.Close() // half a message may be out
	}
	return n, err
}

// Close closes the connection. Where nobody reads yet, nobody will.
func (s *streamConn) Close() error {
	s.close()
	select {
	case <-s.reading:
	default:
		s.gone()
	}
	if s.web != nil {
		_ = s.web.CloseNow()
	}
	return ignoreClosed(s.Conn.Close()) // sipgo closes it too
}

// inTurn waits until the peer has not sent too much. It feels that: its window fills.
func (s *streamConn) inTurn() error {
	for {
		wait := s.guard.pause(s.remote, time.Now())
		if wait <= 0 {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.closed:
			t.Stop()
			return io.EOF
		}
	}
}
