package sfu

import (
	"io"
	"sync/atomic"

	"github.com/pion/transport/v5/packetio"
)

// What one connection may make us keep. pion opens a stream for every SSRC that a browser sends or speaks
// of, and keeps it until the end; an honest one has a microphone, our slots, and reports about both.
const (
	maxStreams   = 4 * maxSlots
	streamBuffer = 64 << 10 // bytes that wait to be read; what is more is lost
)

// streams bounds the streams of one connection: whoever opens too many loses it.
type streams struct {
	open    atomic.Int32
	tooMany func() // must not block
}

// buffer is called by pion for every stream, of RTP and of RTCP.
func (s *streams) buffer(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
	b := waitingPackets{packetio.NewBuffer()}
	b.SetLimitSize(streamBuffer)
	if s.open.Add(1) > maxStreams {
		_ = b.Close()
		s.tooMany()
	}
	return b
}

// waitingPackets is a buffer as pion takes it.
type waitingPackets struct{ *packetio.Buffer }

func (w waitingPackets) Read(b []byte) (int, error) {
	n, _, err := w.Buffer.Read(b, nil)
	return n, err
}

func (w waitingPackets) Write(b []byte) (int, error) { return w.Buffer.Write(b, nil) }
