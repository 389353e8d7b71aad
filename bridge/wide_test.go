package bridge

import (
	"net/netip"
	"testing"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip/sdp"
)

// Phones hear each other above 4 kHz where both can, and below it where one cannot; a re-INVITE changes the codec
// in mid-call.
func TestWidePhonesInARoom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, err := r.call("lobby", codec.G722)
	must(t, ada, err)
	ben, err := r.call("lobby", codec.Opus)
	must(t, ben, err)
	carl, err := r.call("lobby", codec.PCMA)
	must(t, carl, err)

	stop := ada.whistle(5500)
	ben.hears(5500)
	ada.hears(0)
	stop()
	stop = ben.whistle(1500)
	ada.hears(1500)
	carl.hears(1500)
	stop()

	carl.sess.Local.Codecs = []codec.Kind{codec.G722}
	carl.reoffer(r, sdp.SendRecv)
	if carl.media.Kind != codec.G722 {
		t.Fatalf("the codec after the re-INVITE is %v", carl.media.Kind)
	}
	stop = carl.whistle(6000)
	ada.hears(6000)
	ben.hears(6000)
	stop()
	ada.whistle(5500)
	carl.hears(5500)
	r.lostNothing()
}

// What a trunk does not say is our taste, and not the phone's.
func TestPreferredCodec(t *testing.T) {
	local := sdp.Local{
		Origin: sdp.Origin{ID: 1, Version: 1}, Address: netip.MustParseAddrPort("192.0.2.1:4000"), Codecs: codecs(&config.Trunk{}),
	}
	for _, test := range []struct {
		offered []codec.Kind
		want    codec.Kind
	}{
		{[]codec.Kind{codec.PCMU, codec.PCMA, codec.Opus, codec.G722}, codec.G722},
		{[]codec.Kind{codec.PCMU, codec.PCMA, codec.Opus}, codec.Opus},
		{[]codec.Kind{codec.PCMU, codec.PCMA}, codec.PCMA},
		{[]codec.Kind{codec.PCMU}, codec.PCMU},
	} {
		theirs := local
		theirs.Codecs = test.offered
		offer, err := sdp.Offer(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if _, media, err := sdp.Answer(offer, local); err != nil || media.Kind != test.want {
			t.Errorf("of %v: %v, %v; want %v", test.offered, media.Kind, err, test.want)
		}
	}
}
