package livekit

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
	"passerelle/rooms/internal/ready"
)

// wire is where a voice's packets go in a test.
type wire struct{ last rtp.Header }

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	w.last = *h
	return len(payload), nil
}
func (*wire) Write(b []byte) (int, error) { return len(b), nil }

// bound is a voice's way, as pion offers it.
type bound struct {
	ssrc webrtc.SSRC
	wire *wire
}

func (b bound) CodecParameters() []webrtc.RTPCodecParameters {
	return []webrtc.RTPCodecParameters{{PayloadType: ready.OpusType}}
}
func (b bound) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{{URI: sdp.AudioLevelURI, ID: 3}}
}
func (b bound) SSRC() webrtc.SSRC                       { return b.ssrc }
func (b bound) SSRCRetransmission() webrtc.SSRC         { return 0 }
func (b bound) SSRCForwardErrorCorrection() webrtc.SSRC { return 0 }
func (b bound) WriteStream() webrtc.TrackLocalWriter    { return b.wire }
func (b bound) ID() string                              { return trackID }
func (b bound) RTCPReader() interceptor.RTCPReader      { return nil }

func newVoice(t testing.TB) (*voice, bound) {
	v, b := &voice{clock: func() time.Duration { return 0 }}, bound{7, &wire{}}
	if _, err := v.Bind(b); err != nil {
		t.Fatal(err)
	}
	return v, b
}

func TestWhatIsNotSentIsNotMissing(t *testing.T) {
	v, b := newVoice(t)
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: []byte{1}}
	say := func(n uint16) rtp.Header {
		f.Seq, f.Timestamp = n, uint32(n)*960
		v.frame(&f)
		return b.wire.last
	}
	first := say(1)
	if !first.Marker || first.PayloadType != ready.OpusType || first.SSRC != 7 || first.Timestamp != 960 {
		t.Errorf("the first packet: %+v, want the marker, and what was agreed on", first)
	}
	if level := first.GetExtension(3); len(level) != 1 || level[0] != 0x80|20 {
		t.Errorf("level %v, want 20 and a voice", level)
	}
	second := say(2)
	if second.Marker || second.SequenceNumber != first.SequenceNumber+1 {
		t.Errorf("the second packet: %+v", second)
	}
	v.muted.Store(true)
	say(3)
	if got := say(4); got.SequenceNumber != second.SequenceNumber {
		t.Errorf("a muted voice sends")
	}
	v.muted.Store(false)
	if back := say(5); !back.Marker || back.SequenceNumber != second.SequenceNumber+1 || back.Timestamp != 5*960 {
		t.Errorf("after the mute: %+v, want the marker, the next sequence number and the timestamp of the frame", back)
	}
	if err := v.Unbind(b); err != nil {
		t.Fatal(err)
	}
	if got := say(6); got.Timestamp != 5*960 {
		t.Errorf("a voice without a way sends")
	}
}

func TestLossIsTheMeanOfReports(t *testing.T) {
	var l lossMeter
	for _, c := range []struct {
		at   time.Duration
		add  float64
		want float64
	}{{1 * time.Second, 0.4, 0.2}, {2 * time.Second, 0.4, 0.3}, {3 * time.Second, 0, 0.15}} {
		l.add(c.add, c.at)
		if got := l.now(c.at); got < c.want-0.001 || got > c.want+0.001 {
			t.Errorf("at %v: %v, want %v", c.at, got, c.want)
		}
	}
	if got := l.now(3*time.Second + lossKept + 1); got != 0 {
		t.Errorf("an old report counts: %v", got)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	v, _ := newVoice(t)
	f := codec.Frame{Kind: codec.Opus, Payload: make([]byte, 80)}
	if n := testing.AllocsPerRun(1000, func() { f.Seq++; v.frame(&f) }); n > 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
	h, heardOne := &heard{}, 0
	h.reader = readerFunc(func(*codec.Frame) { heardOne++ })
	if n := testing.AllocsPerRun(1000, func() { h.push(&f) }); n > 0 || heardOne == 0 {
		t.Errorf("%v allocations a frame heard, want none", n)
	}
}

type readerFunc func(*codec.Frame)

func (r readerFunc) PushFrame(f *codec.Frame) { r(f) }
