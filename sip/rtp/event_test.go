package rtp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// one is an event packet as the tables write it: at ms, timestamp, key, duration, end.
type one struct {
	ms       int
	ts       uint32
	key      byte
	duration uint16
	end      bool
}

func (o one) event() event {
	return event{code: uint8(strings.IndexByte(keys, o.key)), duration: o.duration, end: o.end}
}

// press is a whole key: packets every 20 ms, three ends.
func press(ms int, ts uint32, key byte) (row []one) {
	for i := range 4 {
		row = append(row, one{ms + 20*i, ts, key, uint16(160 * (i + 1)), false})
	}
	for i := range 3 {
		row = append(row, one{ms + 80 + 20*i, ts, key, 800, true})
	}
	return row
}

func TestKeypad(t *testing.T) {
	long := []one{}
	for i := range 500 { // 10 s: a second segment begins at 0xFFFF
		at := uint32(160 * (i + 1))
		o := one{ms: 20 * i, ts: 1000, key: '5', duration: uint16(min(at, 0xFFFF))}
		if at > 0xFFFF {
			o.ts, o.duration = 1000+0xFFFF, uint16(at-0xFFFF)
		}
		long = append(long, o)
	}
	long = append(long, one{10000, 1000 + 0xFFFF, '5', 80000 - 0xFFFF, true})
	whole := press(0, 1000, '7')
	tests := []struct {
		name   string
		rows   [][]one
		expire int // ms; 0 is never
		want   string
	}{
		{"once, however many packets", [][]one{whole}, 0, "7+ 7-100ms"},
		{"all packets twice", [][]one{whole, whole}, 0, "7+ 7-100ms"},
		{"the first packets lost", [][]one{whole[3:]}, 0, "7+ 7-100ms"},
		{"only the last end came", [][]one{whole[6:]}, 0, "7+ 7-100ms"},
		{"ends lost: the time-out", [][]one{whole[:4]}, 300, "7+ 7-80ms"},
		{"no time-out before its time", [][]one{whole[:4]}, 259, "7+"},
		{"ends lost: the next key", [][]one{whole[:3], press(200, 2600, '8')}, 0, "7+ 7-60ms 8+ 8-100ms"},
		{"the same key again", [][]one{whole, press(200, 2600, '7')}, 0, "7+ 7-100ms 7+ 7-100ms"},
		{"the same key again, ends lost", [][]one{whole[:4], press(200, 2600, '7')}, 0, "7+ 7-80ms 7+ 7-100ms"},
		{"the same key again, ends and begins lost", [][]one{whole[:4], press(200, 2600, '7')[6:]}, 0, "7+ 7-80ms 7+ 7-100ms"},
		{"an end overtakes", [][]one{whole[:2], whole[4:5], whole[2:4]}, 0, "7+ 7-100ms"},
		{"a late packet of the key before", [][]one{whole, press(200, 2600, '8')[:2], whole[6:], press(240, 2600, '8')[2:]}, 0, "7+ 7-100ms 8+ 8-100ms"},
		{"after the time-out the key is not told again", [][]one{whole[:4], {{1000, 1000, '7', 800, true}}}, 0, "7+ 7-100ms"},
		{"timestamps go round the corner", [][]one{press(0, 0xFFFFFF00, '1'), press(200, 0x500, '2')}, 0, "1+ 1-100ms 2+ 2-100ms"},
		{"a peer that counts from elsewhere", [][]one{press(0, 900000, '1'), press(5000, 1000, '2')}, 0, "1+ 1-100ms 2+ 2-100ms"},
		{"longer than a segment", [][]one{long}, 0, "5+ 5-10s"},
		{"a segment whose first packets are lost", [][]one{long[:405], long[415:]}, 0, "5+ 5-10s"},
		{"all keys", [][]one{press(0, 1000, '*'), press(200, 3000, '#'), press(400, 5000, 'A'), press(600, 7000, 'D')}, 0, "*+ *-100ms #+ #-100ms A+ A-100ms D+ D-100ms"},
		{"another key at the same timestamp is not believed", [][]one{whole[:2], {{40, 1000, '9', 480, true}}}, 0, "7+"},
		{"a duration of 0 begins a key", [][]one{{{0, 1000, '7', 0, false}}}, 0, "7+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := keypad{clock: 8000}
			var got []string
			tell := func(d digits) {
				for _, one := range d.list[:d.n] {
					if one.Ended {
						got = append(got, fmt.Sprintf("%c-%v", one.Rune, one.Duration))
					} else {
						got = append(got, fmt.Sprintf("%c+", one.Rune))
					}
				}
			}
			for _, row := range tt.rows {
				for _, o := range row {
					tell(k.packet(o.ts, o.event(), time.Duration(o.ms)*time.Millisecond))
				}
			}
			if tt.expire != 0 {
				tell(k.expire(time.Duration(tt.expire) * time.Millisecond))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestKeypadHearsOnlyKeys(t *testing.T) {
	k := keypad{clock: 8000}
	for code := 16; code < 256; code++ {
		if told := k.packet(uint32(1000*code), event{code: uint8(code), end: true}, 0); told.n != 0 {
			t.Fatalf("event %d was told as a key", code)
		}
	}
}

// FuzzEvent: what is parsed prints as it was.
func FuzzEvent(f *testing.F) {
	f.Add([]byte{5, 0x8a, 3, 0x20})
	f.Add([]byte{16, 0x40, 0xff, 0xff, 1, 2, 3, 4})
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, ok := parseEvent(payload)
		if ok != (len(payload) >= eventSize) {
			t.Fatalf("parsed %v from %d bytes", ok, len(payload))
		}
		if ok && !bytes.Equal(e.append(nil), payload[:eventSize]) {
			t.Errorf("got %x, want %x", e.append(nil), payload[:eventSize])
		}
	})
}

// FuzzKeypad: whatever comes, keys go down and up in turn, an end is of the key that is down, and after
// the time-out none is down.
func FuzzKeypad(f *testing.F) {
	var seed []byte
	for _, o := range press(0, 1000, '7') {
		seed = append(seed, byte(o.ts>>8), byte(o.ts), 20)
		seed = o.event().append(seed)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		k := keypad{clock: 8000}
		var now time.Duration
		var down rune
		check := func(d digits) {
			for _, one := range d.list[:d.n] {
				if one.Ended != (down != 0) || one.Ended && one.Rune != down || one.Duration < 0 {
					t.Fatalf("got %v while %q is down", one, down)
				}
				down = one.Rune
				if one.Ended {
					down = 0
				}
			}
		}
		for ; len(data) >= 7; data = data[7:] {
			now += time.Duration(data[2]) * time.Millisecond
			e, _ := parseEvent(data[3:])
			check(k.packet((uint32(data[0])<<8|uint32(data[1]))<<8, e, now))
		}
		check(k.expire(now + eventTimeout))
		if down != 0 {
			t.Errorf("%c is down for ever", down)
		}
	})
}
