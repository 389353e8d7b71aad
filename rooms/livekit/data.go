package livekit

import (
	"errors"
	"io"

	"github.com/pion/webrtc/v4"
)

// What a data channel is read with, in bytes: most is what LiveKit lets through. pion would read each with most.
const (
	usualData = 1 << 10
	mostData  = 64 << 10
)

// readData reads a data channel until it ends; heard may look at a message during the call. It is called by pion, on
// a goroutine of the channel's own. What nobody reads would stay in memory, and hold up what comes next.
func (s *session) readData(channel *webrtc.DataChannel, heard func([]byte)) {
	if !s.reads() {
		return
	}
	defer s.media.Done()
	defer s.link.c.recovered("a data channel", s.fail)
	raw, err := channel.Detach()
	if err != nil {
		return
	}
	usual := make([]byte, usualData)
	for {
		n, _, err := raw.ReadDataChannel(usual)
		message := usual[:min(n, len(usual))]
		if errors.Is(err, io.ErrShortBuffer) && n <= mostData { // it is still there
			message = make([]byte, n)
			_, _, err = raw.ReadDataChannel(message)
		}
		if err != nil {
			return
		}
		heard(message)
	}
}

// ignoreData reads the data channels that the server opens, for nobody.
func (s *session) ignoreData(channel *webrtc.DataChannel) {
	channel.OnOpen(func() { s.readData(channel, func([]byte) {}) })
}
