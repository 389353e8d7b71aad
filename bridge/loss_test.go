package bridge

import (
	"testing"

	"passerelle/codec"
	"passerelle/codec/score"
)

// What a browser in the room loses reaches the phone's encoder: it reports, the seat knows, the call asks the seat, and
// from then on packets carry the frame before once more.
func TestLossInTheRoomBringsFEC(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	host := r.backend.Join("lobby", "host")
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	voice, err := score.ReadFile("../testdata/speech/rms.wav") // FEC is for speech, and tones are none
	if err != nil {
		t.Fatal(err)
	}
	defer ada.sounds(func(at int) int16 { return voice[at%len(voice)] })()

	with, without := 0, 0
	count := func() {
		for len(host.Heard()) > 0 {
			f := <-host.Heard()
			switch {
			case len(f.Payload) < 3 || f.Payload[0]>>3 != 1 || f.Payload[0]&3 != 0: // not SILK, 20 ms, one frame
			case hasFEC(f.Payload):
				with++
			default:
				without++
			}
		}
	}
	eventually(t, "packets without FEC, as long as nothing is lost", func() bool {
		if count(); with > 0 {
			t.Fatal("FEC before anything was lost")
		}
		return without > 10
	})
	if err := host.Report(0.25); err != nil {
		t.Fatal(err)
	}
	eventually(t, "packets with FEC", func() bool {
		count()
		return with > 2
	})
}

// hasFEC reports whether a packet of one mono SILK frame of 20 ms carries the frame before: the LBRR flag, after the
// voice activity's (RFC 6716 section 4.2.3), each of one bit.
func hasFEC(payload []byte) bool { return payload[1]&0x40 != 0 }
