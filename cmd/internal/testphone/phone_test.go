package testphone

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/sip/locate"
	"passerelle/sip/locate/locatetest"
)

// sound is n samples that tell where they belong.
func sound(first, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(first + i)
	}
	return pcm
}

func TestPlayout(t *testing.T) {
	begin := time.Unix(1000, 0)
	for _, test := range []struct {
		rule string
		base uint32
		puts []int // in samples after base: the order in which packets of 20 ms arrive
		want []int // likewise: what is heard after the depth, -1 for silence
	}{
		{"in order", 5000, []int{0, 160, 320}, []int{0, 160, 320}},
		{"out of order", 5000, []int{0, 320, 160}, []int{0, 160, 320}},
		{"twice", 5000, []int{0, 160, 160, 320}, []int{0, 160, 320}},
		{"a hole stays a hole", 5000, []int{0, 320}, []int{0, -1, 320}},
		{"timestamps wrap", math.MaxUint32 - 200, []int{0, 160, 320}, []int{0, 160, 320}},
		{"another source starts anew", 5000, []int{0, 1 << 20}, []int{1 << 20, -1, -1}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			var out playout
			for _, at := range test.puts {
				out.put(test.base+uint32(at), sound(at%(1<<14)+1, frame), begin)
			}
			var heard []int16
			keep := func(pcm []int16) error { heard = append(heard, pcm...); return nil }
			if err := out.take(begin.Add(depth+3*ptime), keep); err != nil {
				t.Fatal(err)
			}
			heard = heard[int(depth/ptime)*frame:]
			for i, want := range test.want {
				pcm := make([]int16, frame)
				if want >= 0 {
					pcm = sound(want%(1<<14)+1, frame)
				}
				if got := heard[i*frame : (i+1)*frame]; !slices.Equal(got, pcm) {
					t.Errorf("frame %d is %v..., want %v...", i, got[:2], pcm[:2])
				}
			}
		})
	}
}

func TestPlayoutIsInTime(t *testing.T) {
	var out playout
	frames := 0
	count := func([]int16) error { frames++; return nil }
	begin := time.Unix(1000, 0)
	if err := out.take(begin, count); err != nil || frames != 0 {
		t.Errorf("%d frames before anything has come", frames)
	}
	out.put(0, sound(0, frame), begin)
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {19 * time.Millisecond, 0}, {20 * time.Millisecond, 1}, {time.Second, 50}} {
		if err := out.take(begin.Add(test.after), count); err != nil || frames != test.want {
			t.Errorf("%d frames after %v, want %d", frames, test.after, test.want)
		}
	}
}

func TestTheLastSoundIsHeard(t *testing.T) {
	var heard []int16
	p := &phone{Config: Config{Heard: func(pcm []int16) error { heard = append(heard, pcm...); return nil }}}
	e, err := newEar(p, codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	// Half a second of packets and the end of the call, before any is due.
	const packets = 25
	for i := range packets {
		payload := bytes.Repeat([]byte{byte(i)}, frame)
		e.PushFrame(&codec.Frame{Kind: codec.PCMU, Timestamp: uint32(i * frame), Payload: payload})
	}
	e.close()
	if err := e.run(); err != nil {
		t.Fatal(err)
	}
	before := int(depth/ptime) * frame
	if len(heard) != before+packets*frame {
		t.Fatalf("%d samples were heard, want %d of silence and %d of sound", len(heard), before, packets*frame)
	}
	var last [frame]int16
	if _, err := e.decoder.Decode(last[:], bytes.Repeat([]byte{packets - 1}, frame)); err != nil {
		t.Fatal(err)
	}
	if got := heard[len(heard)-frame:]; !slices.Equal(got, last[:]) {
		t.Errorf("the last frame is %v..., want %v...", got[:2], last[:2])
	}
}

func TestNothingIsHeardTwiceAtTheEnd(t *testing.T) {
	var out playout
	begin := time.Unix(1000, 0)
	out.put(0, sound(1, frame), begin)
	frames := 0
	count := func([]int16) error { frames++; return nil }
	if err := out.take(begin.Add(time.Second), count); err != nil {
		t.Fatal(err)
	}
	if err := out.flush(count); err != nil || frames != 50 {
		t.Errorf("%d frames of a second, %v", frames, err)
	}
}

func TestTowards(t *testing.T) {
	dns := locatetest.Serve(t, `
_sip._tcp.pbx.example. 60 IN SRV 0 0 5062 host.pbx.example.
host.pbx.example. 60 IN A 127.0.0.9
`)
	resolver := locate.New(locate.Config{Servers: []netip.AddrPort{dns.Addr}})
	for _, test := range []struct{ rule, uri, local string }{
		{"UDP by default", "sip:lobby@127.0.0.1:5060", "127.0.0.1"},
		{"port 5060 by default", "sip:lobby@127.0.0.1", "127.0.0.1"},
		{"TCP when asked", "sip:lobby@127.0.0.1;transport=TCP", "127.0.0.1"},
		{"IPv6", "sip:lobby@[::1]:5060", "::1"},
		{"IPv6 without a port", "sips:lobby@[::1]", "::1"},
		{"a name", "sip:lobby@pbx.example", "127.0.0.1"},
		{"not a SIP address", "lobby", ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			local, err := towards(t.Context(), test.uri, resolver)
			if test.local == "" {
				if err == nil {
					t.Errorf("towards(%q) is no error", test.uri)
				}
				return
			}
			if err != nil || local.String() != test.local {
				t.Errorf("towards(%q) = %v, %v, want %s", test.uri, local, err, test.local)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	square := slices.Repeat([]int16{math.MinInt16}, frame)
	for _, test := range []struct {
		rule string
		pcm  []int16
		want uint8
	}{
		{"full scale", square, 0},
		{"digital silence", make([]int16, frame), 127},
		{"half is 6 dB less", slices.Repeat([]int16{math.MinInt16 / 2}, frame), 6},
	} {
		if got := level(test.pcm); got != test.want {
			t.Errorf("%s: level %d, want %d", test.rule, got, test.want)
		}
	}
}
