package sdp

import "testing"

func TestOffersVideo(t *testing.T) {
	const audio = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	for _, c := range []struct {
		rule, body string
		want       bool
	}{
		{"sound alone", audio, false},
		{"video", audio + "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", true},
		{"video in another profile", audio + "m=video 4002 UDP/TLS/RTP/SAVPF 96\r\n", true},
		{"a video line that is dead", audio + "m=video 0 RTP/AVP 96\r\n", false},
		{"another line", audio + "m=application 4002 UDP/BFCP *\r\n", false},
		{"nothing", "", false},
		{"no description", "video", false},
	} {
		if got := OffersVideo([]byte(c.body)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.rule, got, c.want)
		}
	}
}
