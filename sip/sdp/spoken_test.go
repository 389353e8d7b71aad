package sdp

import (
	"errors"
	"slices"
	"testing"

	"passerelle/codec"
)

func TestSpoken(t *testing.T) {
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for _, test := range []struct {
		rule, body string
		kinds      []codec.Kind
		names      string
		err        error
	}{
		{"in its order, each once", head + "m=audio 4000 RTP/AVP 8 0 18 101\r\na=rtpmap:101 telephone-event/8000\r\n",
			[]codec.Kind{codec.PCMA, codec.PCMU}, "PCMA PCMU G729 telephone-event", nil},
		{"nothing of ours", head + "m=audio 4000 RTP/AVP 18\r\n", nil, "G729", nil},
		{"a port of 0 is a list too, as in an answer to OPTIONS", head + "m=audio 0 RTP/AVP 9\r\n", []codec.Kind{codec.G722}, "G722", nil},
		{"no audio", head + "m=video 4000 RTP/AVP 96\r\n", nil, "", ErrNoAudio},
		{"nothing", "", nil, "", ErrSyntax},
	} {
		kinds, names, err := Spoken([]byte(test.body))
		if !slices.Equal(kinds, test.kinds) || names != test.names || !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, %q, %v", test.rule, kinds, names, err)
		}
	}
}
