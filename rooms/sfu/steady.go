package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// steady is a UDP socket whose reader goes on after an error: pion's gives the port up for good. What a
// source sends too fast does not come through. done is called once, when the socket is closed and nobody
// reads it any more.
type steady struct {
	*net.UDPConn
	flood           *flood
	done            func()
	reading, closed atomic.Bool
}

var (
	_ net.PacketConn           = (*steady)(nil)
	_ ice.AddrPortReaderWriter = (*steady)(nil)
)

func newSteady(c *net.UDPConn, done func()) *steady {
	return &steady{UDPConn: c, flood: newFlood(), done: sync.OnceFunc(done)}
}

// ReadFromAddrPort reads one packet, in one goroutine at a time. Only the end of the socket is an error.
func (s *steady) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	s.reading.Store(true)
	defer func() {
		s.reading.Store(false)
		if s.closed.Load() {
			s.done()
		}
	}()
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return 0, from, err
		}
		if err == nil {
			if s.flood.passes(from, time.Now()) {
				return n, from, nil
			}
			continue
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a network that is down must not keep a core busy
	}
}

// Close closes the socket. The reader may be between two packets, and never read again.
func (s *steady) Close() error {
	s.closed.Store(true)
	if !s.reading.Load() {
		s.done()
	}
	return s.UDPConn.Close()
}

// WriteToAddrPort sends one packet.
func (s *steady) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return s.WriteToUDPAddrPort(b, to)
}
