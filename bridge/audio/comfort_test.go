package audio

import (
	"slices"
	"testing"
	"time"

	"passerelle/codec"
)

// comfortOf sends a comfort noise packet (RFC 3389) of a level and of as many reflection coefficients.
func (h *handset) comfortOf(dbov uint8, coefficients int) {
	payload := append([]byte{dbov}, make([]byte, coefficients)...)
	h.phone.PushFrame(&codec.Frame{Arrival: h.now, Seq: h.seq, Timestamp: h.ts, Kind: codec.ComfortNoise, Payload: payload})
	h.seq++
}

// A phone that suppresses silence sends comfort noise now and then, louder or softer, and then speaks again.
func TestComfortNoiseAtTheSeat(t *testing.T) {
	const p = 20 * ms
	for _, test := range []struct {
		rule string
		do   func(h *handset)
		want []sent
	}{
		{"comfort noise again every 200 ms is DTX every 400", func(h *handset) {
			h.speak(p, 1)
			for i := range 10 {
				h.comfortOf(uint8(60+i), 0)
				h.pass(1600)
			}
			h.speak(p, 2)
		}, []sent{{p, 0, true}, {0, p, false}, {0, 400 * ms, false}, {0, 400 * ms, false}, {0, 400 * ms, false}, {0, 400 * ms, false}, {p, 400 * ms, true}, {p, p, false}}},
		{"its level and its spectrum are for phones", func(h *handset) {
			h.speak(p, 1)
			h.comfortOf(30, 10)
			h.pass(8000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, p, false}, {p, time.Second, true}}},
		{"comfort noise in silence is more of it", func(h *handset) {
			h.hush(p, 2)
			h.comfortOf(70, 0)
			h.pass(4000)
			h.speak(p, 1)
		}, []sent{{0, 0, false}, {p, 540 * ms, true}}},
		{"a call may begin with it", func(h *handset) {
			h.comfortOf(70, 0)
			h.pass(4000)
			h.speak(p, 1)
		}, []sent{{0, 0, false}, {p, 500 * ms, true}}},
		{"what is lost in it is no loss", func(h *handset) {
			h.speak(p, 1)
			h.comfortOf(70, 0)
			h.seq += 3 // comfort noise that never came
			h.pass(4800)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, p, false}, {p, 600 * ms, true}}},
		{"late comfort noise ends nothing", func(h *handset) {
			h.speak(p, 1)
			late := codec.Frame{Arrival: h.now, Seq: h.seq, Timestamp: h.ts, Kind: codec.ComfortNoise, Payload: []byte{60}}
			h.lose(160)
			h.speak(p, 1)
			h.phone.PushFrame(&late)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {p, p, false}, {p, p, false}, {p, p, false}}},
		{"another source after it is later by the gap", func(h *handset) {
			h.speak(p, 1)
			h.comfortOf(70, 0)
			h.pass(8000)
			h.seq, h.ts = 77, 123456
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, p, false}, {p, time.Second, true}}},
		{"with a carry, that is sent first", func(h *handset) {
			h.speak(30*ms, 1)
			h.comfortOf(70, 0)
			h.pass(8000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {10 * ms, p, false}, {0, 10 * ms, false}, {p, time.Second, true}}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			h := newHandset(t, plainEngine(1), p)
			test.do(h)
			if got := packetsSent(h.seat.frames); !slices.Equal(got, test.want) {
				t.Errorf("got\n%v\nwant\n%v", got, test.want)
			}
			contiguous(t, h.seat.frames)
			for i, f := range h.seat.frames {
				if len(f.Payload) <= dtxPayload && (f.Level != codec.Silence || f.Voice) {
					t.Errorf("packet %d is DTX with level %d, voice %v", i, f.Level, f.Voice)
				}
			}
		})
	}
}

// The phone beside hears the words and silence between them, as long as it was, without anything made up.
func TestComfortNoiseBeside(t *testing.T) {
	e := plainEngine(1)
	m := e.NewMix("room")
	a, b := newHandset(t, e, 20*ms), newHandset(t, e, 20*ms)
	a.phone.Join(m)
	b.phone.Join(m)
	s := e.shards[0]
	s.tick(0)
	for n := int64(1); n <= 200; n++ {
		a.now = time.Duration(n)*tickLength - 5*ms
		switch at := n % 100; {
		case at < 50:
			a.ts = uint32(n) * 160
			a.speak(20*ms, 1)
		case at%10 == 0:
			a.ts = uint32(n) * 160
			a.comfortOf(60, 0)
		}
		s.tick(n)
	}
	var sounding, silent []int
	for i, f := range b.line.frames {
		pcm := make([]int16, 160)
		if _, err := b.phone.up.decoder.Decode(pcm, f.Payload); err != nil {
			t.Fatal(err)
		}
		if level(power(pcm)) < 30 {
			sounding = append(sounding, i)
		} else {
			silent = append(silent, i)
		}
	}
	if len(sounding) < 98 || len(sounding) > 102 || len(silent) < 96 {
		t.Errorf("%d packets with sound and %d without, want 100 and 100", len(sounding), len(silent))
	}
	got := a.phone.Stats()
	t.Logf("%+v", got)
	if r := got.Ring; r.Concealed+r.Recovered+r.Lost+r.Late+r.Inserted+r.Restarts > 0 || got.Concealed > 0 {
		t.Errorf("something was made up: %+v", got)
	}
}
