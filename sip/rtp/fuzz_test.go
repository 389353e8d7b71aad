package rtp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/rtp"

	"github.com/pion/rtcp"

	"passerelle/codec"
)

// FuzzArrivals drives all that a line does with what arrives. The input is a row of datagrams: one byte
// of source and port, one of time, two of length, the datagram. Whatever they are,
//
//   - a stranger is never latched, nor ever a destination, and is not heard
//   - a frame is of an agreed kind and holds what the packet of a known source held
//   - keys go down and up in turn
//   - the counts add up
func FuzzArrivals(f *testing.F) {
	var calm, wild []byte
	for n := range uint16(8) {
		calm = datagram(calm, 0, 20, sound(5, n, uint32(n)*160))
		wild = datagram(wild, byte(n), 20, sound(uint32(n%2), n*1000, 0))
		wild = datagram(wild, byte(n), 200, rtpPacket(101, 5, n, uint32(n)*160, []byte{byte(n), 0x80, 3, 0x20}))
		wild = datagram(wild, byte(n), 20, rtpPacket(13, 5, n, uint32(n)*160, []byte{40}))
	}
	report := marshal(f, &rtcp.SenderReport{SSRC: 5, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 77}}},
		rtcp.NewCNAMESourceDescription(5, "x"), &rtcp.Goodbye{Sources: []uint32{5}})
	f.Add(calm, false)
	f.Add(wild, true)
	f.Add(datagram(datagram(calm, 0x80, 20, report), 3, 20, report), true)
	f.Add(datagram(nil, 0, 0, []byte{0xb0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, 1}), false)

	f.Fuzz(func(t *testing.T, row []byte, mux bool) {
		in := inbound{}
		p := agreed()
		p.RTCPMux = mux
		p, err := p.checked(loopback)
		if err != nil {
			t.Fatal(err)
		}
		in.agree(p, 77, 0)
		w := watcher{t: t, in: &in}
		for len(row) >= 4 {
			source, after, size := row[0], row[1], min(len(row)-4, int(binary.BigEndian.Uint16(row[2:])))
			w.now += time.Duration(after) * time.Millisecond
			w.datagram(source, row[4:4+size])
			row = row[4+size:]
		}
		w.end()
	})
}

func datagram(row []byte, source, after byte, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(append(row, source, after), uint16(len(data))), data...)
}

// watcher holds a line to its promises.
type watcher struct {
	t     *testing.T
	in    *inbound
	now   time.Duration
	n     uint64
	down  rune
	frame codec.Frame
}

// datagram sends one: the low bits of source choose who, the high bit the RTCP port.
func (w *watcher) datagram(source byte, data []byte) {
	addr := []string{exactA, otherA, thirdA, strange, public, "127.0.0.1:4001", "127.0.0.1:5001", "[::1]:4000"}[source%8]
	from := netip.MustParseAddrPort(addr)
	if source&0x80 != 0 {
		w.control(from, data)
		return
	}
	w.n++
	a := w.in.take(from, data, w.now, &w.frame)
	stranger := from.Addr() != loopback
	if stranger && (a.sound || a.control || a.moved || a.digits.n > 0) {
		w.t.Fatalf("%v was heard: %+v", from, a)
	}
	if a.control {
		w.control(from, data)
	}
	if a.sound {
		w.sound(data)
	}
	w.digits(a.digits)
	w.aimed()
}

func (w *watcher) control(from netip.AddrPort, data []byte) {
	if !w.in.admitControl(from, data, w.now) {
		return
	}
	if from.Addr() != loopback {
		w.t.Fatalf("a report of %v was taken", from)
	}
	w.in.control(data, w.now)
	for _, r := range w.in.reports(w.now) {
		if _, err := r.Marshal(); err != nil {
			w.t.Fatalf("our report %+v: %v", r, err)
		}
	}
	w.aimed()
}

func (w *watcher) aimed() {
	for _, to := range []netip.AddrPort{w.in.destination(), w.in.controlDestination()} {
		if to.Addr() != loopback {
			w.t.Fatalf("we send to %v", to)
		}
	}
}

func (w *watcher) sound(data []byte) {
	var p pion.Packet
	if err := p.Unmarshal(data); err != nil {
		w.t.Fatalf("a frame of what is no packet: %v", err)
	}
	want := codec.PCMU
	if p.PayloadType == 13 {
		want = codec.ComfortNoise
	}
	f := &w.frame
	if f.Kind != want || f.Kind == codec.PCMU && p.PayloadType != 0 || f.Seq != p.SequenceNumber ||
		f.Timestamp != p.Timestamp || f.Arrival != w.now || len(f.Payload) == 0 || string(f.Payload) != string(p.Payload) {
		w.t.Fatalf("got %+v of %v", f, p)
	}
}

func (w *watcher) digits(d digits) {
	for _, one := range d.list[:d.n] {
		if one.Ended != (w.down != 0) || one.Ended && one.Rune != w.down {
			w.t.Fatalf("got %v while %q is down", one, w.down)
		}
		w.down = one.Rune
		if one.Ended {
			w.down = 0
		}
	}
}

func (w *watcher) end() {
	w.digits(w.in.expire(w.now + eventTimeout))
	if w.down != 0 {
		w.t.Errorf("%c is down for ever", w.down)
	}
	s := w.in.stats()
	if s.PacketsReceived > w.n || s.Late+s.Duplicates > s.PacketsReceived || s.Jitter < 0 || s.RoundTrip < 0 {
		w.t.Errorf("of %d datagrams: %+v", w.n, s)
	}
}
