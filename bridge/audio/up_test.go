package audio

import (
	"errors"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/dtmf"
)

// sent is what a test wants of one packet at the seat: its length, the timestamp's distance from the
// packet before, and the marker.
type sent struct {
	length time.Duration // 0 is DTX
	after  time.Duration
	marker bool
}

func packetsSent(frames []codec.Frame) []sent {
	var all []sent
	for i, f := range frames {
		s := sent{marker: f.Marker}
		if len(f.Payload) > dtxPayload {
			s.length = time.Duration(len(f.Payload)/2) * time.Second / 8000
		}
		if i > 0 {
			s.after = mediaTime(int64(f.Timestamp - frames[i-1].Timestamp))
		}
		all = append(all, s)
	}
	return all
}

func TestUp(t *testing.T) {
	const p = 20 * ms
	talk := sent{p, p, false}
	var hang []sent // 200 ms after the voice
	for range 10 {
		hang = append(hang, talk)
	}
	seq := func(all ...[]sent) []sent { return slices.Concat(all...) }
	for _, test := range []struct {
		rule string
		do   func(h *handset)
		want []sent
	}{
		{"a packet is encoded and sent at once", func(h *handset) {
			h.speak(p, 3)
		}, []sent{{p, 0, true}, talk, talk}},
		{"10 ms stay 10 ms", func(h *handset) {
			h.speak(10*ms, 2)
		}, []sent{{10 * ms, 0, true}, {10 * ms, 10 * ms, false}}},
		{"40 ms stay 40 ms", func(h *handset) {
			h.speak(40*ms, 2)
		}, []sent{{40 * ms, 0, true}, {40 * ms, 40 * ms, false}}},
		{"60 ms stay 60 ms", func(h *handset) {
			h.speak(60*ms, 2)
		}, []sent{{60 * ms, 0, true}, {60 * ms, 60 * ms, false}}},
		{"30 + 30 ms become 20 + 20 + 20", func(h *handset) {
			h.speak(30*ms, 4)
		}, []sent{{p, 0, true}, talk, talk, talk, talk, talk}},
		{"the carry is flushed when the gate closes", func(h *handset) {
			h.speak(30*ms, 2)
			h.hush(30*ms, 9) // 7 in the hang-over
		}, seq([]sent{{p, 0, true}, talk}, hang, []sent{talk, {10 * ms, p, false}, {0, 10 * ms, false}})},
		{"25 ms are carried likewise", func(h *handset) {
			h.speak(25*ms, 4)
		}, []sent{{p, 0, true}, talk, talk, talk, talk}},
		{"a gap of 20 ms is concealed", func(h *handset) {
			h.speak(p, 2)
			h.lose(160)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, talk, talk}},
		{"a gap of 60 ms is concealed", func(h *handset) {
			h.speak(p, 1)
			h.lose(160)
			h.lose(160)
			h.lose(160)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, talk, talk, talk}},
		{"a gap of 30 ms is concealed in 20 ms", func(h *handset) {
			h.speak(30*ms, 2)
			h.lose(240)
			h.speak(30*ms, 1)
		}, []sent{{p, 0, true}, talk, talk, talk, talk, talk}},
		{"a longer gap is a jump with a marker", func(h *handset) {
			h.speak(p, 2)
			for range 4 {
				h.lose(160)
			}
			h.speak(p, 2)
		}, []sent{{p, 0, true}, talk, {p, 100 * ms, true}, talk}},
		{"a pause of the phone's own is not concealed", func(h *handset) {
			h.speak(p, 2)
			h.pass(320)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, {p, 60 * ms, true}}},
		{"a jump flushes the carry", func(h *handset) {
			h.speak(30*ms, 1)
			h.pass(8000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {10 * ms, p, false}, {p, time.Second + 10*ms, true}}},
		{"duplicates are dropped", func(h *handset) {
			f := h.frame(tone(p))
			h.phone.PushFrame(&f)
			h.phone.PushFrame(&f)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk}},
		{"late packets are dropped", func(h *handset) {
			h.speak(p, 1)
			late := h.frame(tone(p))
			h.speak(p, 1)
			h.phone.PushFrame(&late)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, talk, talk}},
		{"digits take sequence numbers and leave a gap", func(h *handset) {
			h.speak(p, 1)
			for range 5 {
				h.lose(160)
			}
			h.seq += 2 // the end is sent three times
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {p, 120 * ms, true}}},
		{"digits sent beside the sound leave none", func(h *handset) {
			h.speak(p, 1)
			h.seq += 7
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk}},
		{"a new source in mid-talk follows", func(h *handset) {
			h.speak(p, 1)
			h.seq, h.ts = 1234, 99999999
			h.speak(p, 2)
		}, []sent{{p, 0, true}, talk, talk}},
		{"a new source after a pause is later by the pause", func(h *handset) {
			h.speak(p, 1)
			h.pass(16000)
			h.seq, h.ts = 1234, 99999999
			h.speak(p, 2)
		}, []sent{{p, 0, true}, {p, 2*time.Second + p, true}, talk}},
		{"a jump that the arrival contradicts moves nothing", func(h *handset) {
			h.speak(p, 1)
			h.ts += 80000
			h.speak(p, 1)
			h.ts -= 160000
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, talk}},
		{"a jump that the arrival confirms is a jump", func(h *handset) {
			h.speak(p, 1)
			h.pass(80000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {p, 10*time.Second + p, true}}},
		{"a re-INVITE begins the mapping anew", func(h *handset) {
			h.speak(p, 1)
			if err := h.phone.Renegotiate(codec.PCMU, p, 0); err != nil {
				panic(err)
			}
			h.seq, h.ts = h.seq-10, h.ts-1600 // late, had nothing happened
			h.speak(p, 2)
		}, []sent{{p, 0, true}, talk, talk}},
		{"silence from the beginning is DTX every 400 ms", func(h *handset) {
			h.hush(p, 49)
		}, []sent{{0, 0, false}, {0, 400 * ms, false}, {0, 400 * ms, false}}},
		{"200 ms after the voice are encoded, then DTX", func(h *handset) {
			h.speak(p, 1)
			h.hush(p, 39)
		}, seq([]sent{{p, 0, true}}, hang, []sent{{0, p, false}, {0, 400 * ms, false}})},
		{"an onset has the marker and 40 ms of look-back", func(h *handset) {
			h.hush(p, 3)
			h.speak(p, 2)
		}, []sent{{0, 0, false}, {2 * p, p, true}, {p, 2 * p, false}, talk}},
		{"an onset at 60 ms has 40 ms of look-back", func(h *handset) {
			h.hush(60*ms, 2)
			h.speak(60*ms, 2)
		}, []sent{{0, 0, false}, {2 * p, 80 * ms, true}, {60 * ms, 2 * p, false}, {60 * ms, 60 * ms, false}}},
		{"an onset at 10 ms has 40 ms of look-back", func(h *handset) {
			h.hush(10*ms, 6)
			h.speak(10*ms, 1)
		}, []sent{{0, 0, false}, {2 * p, p, true}, {10 * ms, 2 * p, false}}},
		{"no look-back over a gap", func(h *handset) {
			h.hush(p, 3)
			h.pass(8000)
			h.speak(p, 1)
		}, []sent{{0, 0, false}, {p, time.Second + 3*p, true}}},
		{"comfort noise is silence at once", func(h *handset) {
			h.speak(p, 2)
			h.comfort()
			h.pass(16000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, talk, {0, p, false}, {p, 2 * time.Second, true}}},
		{"comfort noise is no loss", func(h *handset) {
			h.speak(p, 1)
			h.comfort()
			h.lose(160)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, p, false}, {p, p, true}}},
		{"a loss before comfort noise keeps its time", func(h *handset) {
			h.speak(p, 1)
			h.lose(160)
			h.comfort()
			h.pass(8000)
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, 2 * p, false}, {p, time.Second, true}}},
		{"no look-back over comfort noise", func(h *handset) {
			h.hush(p, 21)
			h.comfort()
			h.speak(p, 1)
		}, []sent{{0, 0, false}, {0, 420 * ms, false}, {p, time.Second / mediaRate, true}}},
		{"sound right after comfort noise has a timestamp of its own", func(h *handset) {
			h.speak(p, 1)
			h.comfort()
			h.speak(p, 1)
		}, []sent{{p, 0, true}, {0, p, false}, {p, time.Second / mediaRate, true}}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			h := newHandset(t, plainEngine(1), p)
			test.do(h)
			got := packetsSent(h.seat.frames)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%v\nwant\n%v", got, test.want)
			}
			contiguous(t, h.seat.frames)
		})
	}
}

// contiguous checks that sequence numbers have no hole.
func contiguous(t testing.TB, frames []codec.Frame) {
	t.Helper()
	for i := 1; i < len(frames); i++ {
		if frames[i].Seq != frames[i-1].Seq+1 {
			t.Fatalf("packet %d: sequence %d after %d", i, frames[i].Seq, frames[i-1].Seq)
		}
	}
}

// comfort sends a comfort noise packet.
func (h *handset) comfort() {
	h.phone.PushFrame(&codec.Frame{Arrival: h.now, Seq: h.seq, Timestamp: h.ts, Kind: codec.ComfortNoise, Payload: []byte{60}})
	h.seq++
}

// heardAtSeat returns all sound that the seat got.
func (h *handset) heardAtSeat() []int16 {
	var all []int16
	for _, f := range h.seat.voiced() {
		pcm := make([]int16, 960)
		n, err := (&plainOpus{}).Decode(pcm, f.Payload)
		if err != nil {
			panic(err)
		}
		all = append(all, pcm[:n]...)
	}
	return all
}

func TestUpCarriesTheSoundItself(t *testing.T) {
	for _, ptime := range []time.Duration{10 * ms, 20 * ms, 30 * ms, 40 * ms, 60 * ms} {
		h := newHandset(t, plainEngine(1), ptime)
		h.hush(ptime, 8)
		var said []int16
		whole := Tone(8000, 600*ms, -15, 317)
		for rest := whole; len(rest) > 0; rest = rest[samples(ptime, 8000):] {
			f := h.frame(rest[:samples(ptime, 8000)])
			pcm := make([]int16, len(f.Payload))
			if _, err := h.phone.up.decoder.Decode(pcm, f.Payload); err != nil {
				t.Fatal(err)
			}
			said = append(said, pcm...)
			h.phone.PushFrame(&f)
		}
		got := h.heardAtSeat()
		back := samples(lookBackLeast, 8000)
		if len(got) < back || !slices.Equal(got[:back], make([]int16, back)) {
			t.Errorf("%v: no silent look-back", ptime)
			continue
		}
		if n := len(got) - back; n < len(said)-back || !slices.Equal(got[back:], said[:n]) {
			t.Errorf("%v: got other sound than was said", ptime)
		}
	}
}

func TestUpWithoutAGateSendsSilenceToo(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.up.gate.off = true
	h.hush(20*ms, 50)
	want := slices.Repeat([]sent{{20 * ms, 20 * ms, false}}, 50)
	want[0] = sent{20 * ms, 0, true}
	if got := packetsSent(h.seat.frames); !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if h.seat.frames[49].Voice {
		t.Error("silence is said to be a voice")
	}
}

func TestUpEncoderIsResetOnLongGapsAlone(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	enc := h.phone.up.encoder.(*plainOpus)
	h.speak(20*ms, 2)
	h.lose(160)
	h.speak(20*ms, 2)
	h.pass(160)
	h.speak(20*ms, 2)
	if enc.resets != 0 {
		t.Errorf("%d resets on short gaps, want 0", enc.resets)
	}
	h.pass(8000)
	h.speak(20*ms, 2)
	if enc.resets != 1 {
		t.Errorf("%d resets after a long gap, want 1", enc.resets)
	}
}

func TestUpLevelAndVoice(t *testing.T) {
	for _, test := range []struct {
		rule  string
		pcm   []int16
		level uint8
		voice bool
	}{
		{"a tone at -20 dBov", tone(20 * ms), 20, true},
		{"full scale is 0", steady(20*ms, -32124), 0, true},
	} {
		h := newHandset(t, plainEngine(1), 20*ms)
		h.send(test.pcm)
		if f := h.seat.frames[0]; f.Level != test.level || f.Voice != test.voice || f.Kind != codec.Opus {
			t.Errorf("%s: level %d voice %v %v, want %d %v", test.rule, f.Level, f.Voice, f.Kind, test.level, test.voice)
		}
	}
	h := newHandset(t, plainEngine(1), 20*ms)
	h.speak(20*ms, 1)
	h.hush(20*ms, 20)
	for _, f := range h.seat.frames[1:] {
		if f.Level != codec.Silence || f.Voice {
			t.Errorf("silence has level %d and voice %v, want 127 and none", f.Level, f.Voice)
		}
	}
	if s := h.phone.Stats(); s.Level != codec.Silence || s.Talking || s.DTX == 0 {
		t.Errorf("statistics of silence: %+v", s)
	}
}

func TestUpDropsWhatItCannotDecode(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.speak(20*ms, 1)
	for _, f := range []codec.Frame{
		{Seq: h.seq, Timestamp: h.ts, Kind: codec.PCMU},
		{Seq: h.seq, Timestamp: h.ts, Kind: codec.PCMU, Payload: make([]byte, 961)},
		{Seq: h.seq, Timestamp: h.ts, Kind: codec.PCMA, Payload: make([]byte, 160)},
		{Seq: h.seq, Timestamp: h.ts, Kind: codec.Opus, Payload: make([]byte, 160)},
		{Seq: h.seq, Timestamp: h.ts, Payload: make([]byte, 160)},
	} {
		h.phone.PushFrame(&f)
	}
	if s := h.phone.Stats(); s.Malformed != 5 || s.Sent != 1 {
		t.Errorf("%d malformed and %d sent, want 5 and 1", s.Malformed, s.Sent)
	}
}

func TestUpARefusedPacketKeepsItsNumber(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.speak(20*ms, 1)
	h.seat.err = errors.New("not connected")
	h.speak(20*ms, 3)
	h.seat.err = nil
	h.speak(20*ms, 1)
	contiguous(t, h.seat.frames)
	if len(h.seat.frames) != 2 || h.phone.Stats().UpErrors != 3 {
		t.Errorf("%d packets, %d refused; want 2 and 3", len(h.seat.frames), h.phone.Stats().UpErrors)
	}
}

func TestUpMutedIsSilence(t *testing.T) {
	for _, test := range []struct {
		rule string
		set  func(*Phone, bool)
	}{
		{"mute", (*Phone).SetMuted},
		{"hold", (*Phone).Hold},
	} {
		h := newHandset(t, plainEngine(1), 20*ms)
		h.speak(20*ms, 2)
		test.set(h.phone, true)
		h.seat.frames = nil
		h.speak(20*ms, 40)
		for i, f := range h.seat.frames {
			if f.Level != codec.Silence || f.Voice {
				t.Errorf("%s: packet %d has level %d, voice %v", test.rule, i, f.Level, f.Voice)
			}
		}
		if n := len(h.seat.voiced()); n != 10 {
			t.Errorf("%s: %d packets after it, want the hang-over's 10", test.rule, n)
		}
		test.set(h.phone, false)
		h.speak(20*ms, 1)
		if f := h.seat.frames[len(h.seat.frames)-1]; f.Level != 20 {
			t.Errorf("%s ended: level %d, want 20", test.rule, f.Level)
		}
	}
}

func TestUpLossReachesTheEncoder(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.SetLoss(0.052)
	h.speak(20*ms, 1)
	if got := h.phone.up.encoder.(*plainOpus).loss; got != 5 {
		t.Errorf("encoder expects %d%% loss, want 5", got)
	}
}

func TestUpNothingAfterClose(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.Close()
	h.speak(20*ms, 2)
	if len(h.seat.frames) != 0 {
		t.Errorf("%d packets after Close", len(h.seat.frames))
	}
	h.phone.Close()
}

func TestUpAnotherSeat(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.SetUp(nil)
	h.speak(20*ms, 2)
	h.phone.SetUp(h.seat)
	h.speak(20*ms, 2)
	if got, want := packetsSent(h.seat.frames), []sent{{20 * ms, 0, true}, {20 * ms, 20 * ms, false}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUpALossAfterMuteIsSilence(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.speak(20*ms, 20)
	h.phone.SetMuted(true)
	h.seat.frames = nil
	h.lose(160)
	h.lose(160)
	h.speak(20*ms, 1)
	if len(h.seat.frames) == 0 {
		t.Fatal("nothing was sent")
	}
	for i, f := range h.seat.frames {
		if f.Level != codec.Silence {
			t.Errorf("packet %d after mute has level %d", i, f.Level)
		}
	}
}

func TestUpASourceThatBeginsAgainIsHeard(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	seq, ts := h.seq, h.ts
	h.speak(20*ms, 400)
	h.seq, h.ts = seq, ts // a recording that is played again
	h.seat.frames = nil
	h.speak(20*ms, 400)
	if n := len(h.seat.frames); n < 390 {
		t.Errorf("%d packets of the second round reach the seat, want 400", n)
	}
}

// Keys that come as tones are told, and the room hears the first 30 ms of each; a muted phone's are told too.
func TestKeysAsTones(t *testing.T) {
	for _, test := range []struct {
		rule   string
		change func(*Phone)
		told   string
		most   time.Duration // of tone that the room hears, of two keys
	}{
		{"told, and cut", func(p *Phone) { p.HearKeys(true) }, "7#", 80 * ms},
		{"told by who is muted", func(p *Phone) { p.HearKeys(true); p.SetMuted(true) }, "7#", 0},
		{"not listened for", func(*Phone) {}, "", 400 * ms},
		{"no more listened for", func(p *Phone) { p.HearKeys(true); p.HearKeys(false) }, "", 400 * ms},
	} {
		t.Run(test.rule, func(t *testing.T) {
			told := ""
			h := newHandset(t, plainEngine(1), 20*ms)
			h.phone.up.press = func(key rune) { told += string(key) }
			test.change(h.phone)
			for _, key := range "7#" {
				h.hush(20*ms, 5)
				low, high, err := dtmf.Frequencies(key)
				if err != nil {
					t.Fatal(err)
				}
				for pcm := Tone(8000, 200*ms, -15, low, high); len(pcm) > 0; pcm = pcm[160:] {
					h.send(pcm[:160])
				}
				h.hush(20*ms, 20)
			}
			if told != test.told {
				t.Errorf("told %q, want %q", told, test.told)
			}
			heard := time.Duration(0)
			for _, f := range h.seat.voiced() {
				if f.Level < 60 {
					heard += 20 * ms
				}
			}
			if heard > test.most || test.most > 100*ms && heard < test.most {
				t.Errorf("the room hears %v of them, want %v", heard, test.most)
			}
		})
	}
}
