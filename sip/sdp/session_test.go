package sdp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"passerelle/codec"
)

const roomOffer = `v=0
o=Room 1 1 IN IP4 203.0.113.20
s=-
c=IN IP4 203.0.113.20
t=0 0
m=video 17002 RTP/AVP 97
a=rtpmap:97 H264/90000
m=audio 17000 RTP/AVP 101 8 0 119
a=rtpmap:101 G7221/16000
a=rtpmap:119 telephone-event/8000
m=application 17006 UDP/BFCP *
`

// newSession speaks PCMU and PCMA at 198.51.100.7:20000; its versions begin with 1.
func newSession(t *testing.T) *Session {
	t.Helper()
	return &Session{Local: parsePolicy(t, "")}
}

// lineOf returns the first line of body that begins with prefix.
func lineOf(t *testing.T, body []byte, prefix string) string {
	t.Helper()
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimRight(line, "\r\n")
		}
	}
	t.Fatalf("no %s in %q", prefix, body)
	return ""
}

func wantOrigin(t *testing.T, step string, body []byte, version string) {
	t.Helper()
	want := "o=passerelle 1000 " + version + " IN IP4 198.51.100.7"
	if got := lineOf(t, body, "o="); got != want {
		t.Errorf("%s: %s, want %s", step, got, want)
	}
}

func answerOf(t *testing.T, s *Session, offer string) ([]byte, Media) {
	t.Helper()
	answer, media, err := s.Answer(crlf(offer))
	if err != nil {
		t.Fatal(err)
	}
	return answer, media
}

func TestVersionCountsChanges(t *testing.T) {
	s := newSession(t)
	first, _ := answerOf(t, s, roomOffer)
	wantOrigin(t, "first answer", first, "1")

	again, _ := answerOf(t, s, strings.Replace(roomOffer, "o=Room 1 1", "o=Room 1 2", 1))
	if string(again) != string(first) {
		t.Errorf("an answer that says the same is another: %s", again)
	}

	held, media := answerOf(t, s, roomOffer+"a=label:1\n"+"m=image 0 udptl t38\n")
	wantOrigin(t, "another m-line", held, "2")
	if media.Kind != codec.PCMU {
		t.Errorf("codec %s", media.Kind)
	}

	if _, _, err := s.Answer([]byte("v=0\r\nnonsense")); err == nil {
		t.Error("nonsense is answered")
	}
	if _, _, err := s.Answer(crlf(strings.Replace(roomOffer, " 8 0 ", " ", 1))); err == nil {
		t.Error("an offer without a codec of ours is answered")
	}
	last, _ := answerOf(t, s, roomOffer)
	wantOrigin(t, "after two refusals", last, "3")
}

func TestOwnOfferKeepsTheLinesAndNumbersOfTheDialog(t *testing.T) {
	s := newSession(t)
	s.Local.Codecs = []codec.Kind{codec.PCMA, codec.PCMU}
	answerOf(t, s, roomOffer)

	offer, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	wantOrigin(t, "own offer", offer, "2")
	var lines []string
	for line := range strings.Lines(string(offer)) {
		if strings.HasPrefix(line, "m=") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	want := []string{"m=video 0 RTP/AVP 97", "m=audio 20000 RTP/AVP 8 0 119", "m=application 0 UDP/BFCP *"}
	if !slices.Equal(lines, want) {
		t.Errorf("m-lines %q, want %q", lines, want)
	}

	answer := strings.NewReplacer("17002", "0", "17006", "0", "101 8 0 119", "0 119", "m=audio 17000", "m=audio 18000").Replace(roomOffer)
	media, err := s.ReadAnswer(crlf(answer))
	if err != nil {
		t.Fatal(err)
	}
	if media.Kind != codec.PCMU || media.TelephoneEvent != 119 || media.Remote.Port() != 18000 || media.Refused != nil {
		t.Errorf("media %+v", media)
	}
}

func TestNewNumbersAvoidTheDialogs(t *testing.T) {
	s := newSession(t)
	answerOf(t, s, strings.Replace(roomOffer, "a=rtpmap:119 telephone-event/8000\n", "a=rtpmap:119 SILK/8000\n", 1))
	s.Local.Codecs = []codec.Kind{codec.Opus, codec.PCMU}
	offer, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	// 101 is G722.1 in this dialog, so digits at 8000 Hz get another; 96 and 102 are free.
	if got, want := lineOf(t, offer, "m=audio"), "m=audio 20000 RTP/AVP 96 0 102 97"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestHoldByUsAndBack(t *testing.T) {
	s := newSession(t)
	answerOf(t, s, roomOffer)
	s.Local.Direction = SendOnly
	offer, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	if got := lineOf(t, offer, "a=send"); got != "a=sendonly" {
		t.Errorf("hold is %s", got)
	}
	// An old phone answers sendrecv to sendonly; we hold all the same.
	answer := strings.NewReplacer("17002", "0", "17006", "0").Replace(roomOffer)
	media, err := s.ReadAnswer(crlf(answer))
	if err != nil || media.Direction != SendOnly {
		t.Errorf("held: %s, %v", media.Direction, err)
	}
	s.Local.Direction = SendRecv
	s.Local.Address = netip.MustParseAddrPort("198.51.100.7:20002")
	_, media = answerOf(t, s, roomOffer)
	if media.Direction != SendRecv || s.Local.Origin.Version != 3 {
		t.Errorf("back: %s, version %d", media.Direction, s.Local.Origin.Version)
	}
}

func TestAnswerWithoutOffer(t *testing.T) {
	if _, err := newSession(t).ReadAnswer(crlf(roomOffer)); err == nil {
		t.Error("read")
	}
}

// A repeated offer is the last description, word for word, and its answer is read as one to an offer: a refresh in the middle
// of a hold leaves the hold.
func TestRepeat(t *testing.T) {
	if _, err := newSession(t).Repeat(); err == nil {
		t.Error("there is nothing to repeat, and it is")
	}
	s := newSession(t)
	held, media := answerOf(t, s, strings.Replace(roomOffer, "c=IN IP4 203.0.113.20", "c=IN IP4 203.0.113.20\na=sendonly", 1))
	if media.Direction != RecvOnly {
		t.Fatalf("held: %s", media.Direction)
	}
	again, err := s.Repeat()
	if err != nil || string(again) != string(held) {
		t.Fatalf("got %s, %v", again, err)
	}
	answer := strings.NewReplacer("17002", "0", "17006", "0", "101 8 0 119", "0 119", "m=audio 17000", "m=audio 19000", "c=IN IP4 203.0.113.20", "c=IN IP4 203.0.113.20\na=sendonly").Replace(roomOffer)
	media, err = s.ReadAnswer(crlf(answer))
	if err != nil || media.Direction != RecvOnly || media.Remote.Port() != 19000 || media.Kind != codec.PCMU {
		t.Errorf("media %+v, %v", media, err)
	}
	resumed, err := s.Offer() // now all that we speak, both ways
	if err != nil || lineOf(t, resumed, "a=send") != "a=sendrecv" {
		t.Errorf("resumed by %s, %v", resumed, err)
	}
	wantOrigin(t, "resumed", resumed, "2")
}
