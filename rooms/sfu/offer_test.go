package sfu

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// chromium returns an offer as Chromium 156 makes it: a microphone and eight slots.
func chromium(t testing.TB) string {
	t.Helper()
	offer, err := os.ReadFile("testdata/chromium-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	return string(offer)
}

func TestReadOffer(t *testing.T) {
	good := chromium(t)
	lines := strings.SplitAfter(good, "m=audio") // 0: the session, then each media line
	for name, c := range map[string]struct {
		offer string
		slots int
		ok    bool
	}{
		"as Chromium makes it":             {good, 8, true},
		"fewer slots than there are":       {good, 16, true},
		"more slots than there are":        {good, 7, false},
		"no slot":                          {strings.Join(lines[:2], ""), 8, false},
		"a microphone that does not send":  {strings.Replace(good, "a=sendonly", "a=recvonly", 1), 8, false},
		"a microphone that could hear too": {strings.Replace(good, "a=sendonly", "a=sendrecv", 1), 8, true},
		"a slot that sends":                {strings.Replace(good, "a=recvonly", "a=sendrecv", 1), 8, false},
		"a slot that does nothing":         {strings.Replace(good, "a=recvonly", "a=inactive", 1), 8, false},
		"video":                            {strings.Replace(good, "m=audio", "m=video", 3), 8, false},
		"data":                             {strings.Replace(good, "m=audio 9 UDP/TLS/RTP/SAVPF", "m=application 9 UDP/DTLS/SCTP", 2), 8, false},
		"no Opus":                          {strings.ReplaceAll(good, "opus/48000/2", "opux/48000/2"), 8, false},
		"no fingerprint":                   {strings.ReplaceAll(good, "a=fingerprint:", "a=x-fingerprint:"), 8, false},
		"no ICE":                           {strings.ReplaceAll(good, "a=ice-pwd:", "a=x-ice-pwd:"), 8, false},
		"a mid twice":                      {strings.Replace(good, "a=mid:2", "a=mid:1", 1), 8, false},
		"a line without a mid":             {strings.Replace(good, "a=mid:2\r\n", "", 1), 8, false},
		"a line broken in two":             {strings.Replace(good, "urn:ietf", "urn:\rietf", 1), 8, false},
		"nothing":                          {"", 8, false},
		"not SDP":                          {"hello", 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			clean, err := readOffer(c.offer, c.slots)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, errOffer) {
				t.Fatalf("error %v, want ok: %v", err, c.ok)
			}
			if strings.Contains(clean, "a=candidate") {
				t.Errorf("there are candidates left")
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	h := newHouse(t, Config{
		TCP:       netip.MustParseAddrPort("127.0.0.1:0"),
		Advertise: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")},
	})
	p, text, err := h.newPeer(context.Background(), chromium(t))
	if err != nil {
		t.Fatalf("newPeer: %v", err)
	}
	defer p.close()
	var answer sdp.SessionDescription
	if err := answer.UnmarshalString(text); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, lite := answer.Attribute("ice-lite"); !lite {
		t.Errorf("the answer is not ICE lite")
	}
	if n := len(answer.MediaDescriptions); n != 9 {
		t.Fatalf("%d media lines, want 9", n)
	}
	for i, m := range answer.MediaDescriptions {
		want := "sendonly"
		if i == 0 {
			want = "recvonly"
		}
		if _, ok := m.Attribute(want); !ok {
			t.Errorf("media line %d is not %s", i, want)
		}
		if got := strings.Join(m.MediaName.Formats, " "); got != "111" {
			t.Errorf("media line %d has payload types %s, want Chromium's 111 for Opus only", i, got)
		}
		if f, _ := m.Attribute("fmtp"); f != "111 "+opusFormat {
			t.Errorf("media line %d has fmtp %q", i, f)
		}
		if fb, ok := m.Attribute("rtcp-fb"); ok {
			t.Errorf("media line %d has feedback %q, want none", i, fb)
		}
		if i > 0 && slices.ContainsFunc(m.Attributes, isCandidate) {
			t.Errorf("media line %d has candidates of its own", i)
		}
	}
	var hosts []string
	for _, a := range answer.MediaDescriptions[0].Attributes {
		if a.Key == "candidate" {
			f := strings.Fields(a.Value)
			hosts = append(hosts, f[2]+" "+f[4])
		}
	}
	want := "udp 192.0.2.7, udp 2001:db8::7, tcp 192.0.2.7, tcp 2001:db8::7"
	if got := strings.Join(hosts, ", "); got != want {
		t.Errorf("candidates %s, want %s", got, want)
	}
	if n := len(p.ear.slots); n != 8 {
		t.Errorf("%d slots, want 8", n)
	}
}

func TestCandidates(t *testing.T) {
	addr := netip.MustParseAddr
	for name, c := range map[string]struct {
		here      []netip.Addr
		tcp       string
		advertise []netip.Addr
		want      []string
	}{
		"as bound": {
			[]netip.Addr{addr("192.0.2.2"), addr("127.0.0.1")}, "", nil,
			[]string{"u0 1 udp 2130706431 192.0.2.2 7882 typ host", "u1 1 udp 2130706175 127.0.0.1 7882 typ host"},
		},
		"TCP at the same addresses": {
			[]netip.Addr{addr("192.0.2.2")}, "0.0.0.0:7881", nil,
			[]string{"u0 1 udp 2130706431 192.0.2.2 7882 typ host", "t0 1 tcp 1520435199 192.0.2.2 7881 typ host tcptype passive"},
		},
		"TCP at an address of its own": {
			[]netip.Addr{addr("192.0.2.2")}, "192.0.2.3:7881", nil,
			[]string{"u0 1 udp 2130706431 192.0.2.2 7882 typ host", "t0 1 tcp 1520435199 192.0.2.3 7881 typ host tcptype passive"},
		},
		"advertised instead": {
			[]netip.Addr{addr("10.0.0.2"), addr("127.0.0.1")}, "0.0.0.0:7881", []netip.Addr{addr("198.51.100.9")},
			[]string{"u0 1 udp 2130706431 198.51.100.9 7882 typ host", "t0 1 tcp 1520435199 198.51.100.9 7881 typ host tcptype passive"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &ports{udp: &udpPort{present: c.here, sockets: []udpSocket{{at: netip.MustParseAddrPort("192.0.2.2:7882")}}}}
			if c.tcp != "" {
				p.tcp = netip.MustParseAddrPort(c.tcp)
			}
			if got := p.candidates(c.advertise); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// FuzzReadOffer: what is accepted keeps to the rules when it is read again, and stays as it is.
func FuzzReadOffer(f *testing.F) {
	f.Add(chromium(f), 8)
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\na=fingerprint:sha-256 AA\r\na=setup:actpass\r\n"+
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"+
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, slots int) {
		clean, err := readOffer(text, slots)
		if err != nil {
			return
		}
		again, err := readOffer(clean, slots)
		if err != nil {
			t.Fatalf("refused when read again: %v", err)
		}
		if again != clean {
			t.Fatalf("read again it is\n%q\nwant\n%q", again, clean)
		}
		if n := strings.Count("\n"+clean, "\nm="); n < 2 || n > 1+slots {
			t.Fatalf("%d media lines with %d slots", n, slots)
		}
		if strings.Contains(clean, "\na=candidate:") {
			t.Fatalf("candidates are left in %q", clean)
		}
	})
}

// FuzzAnswer: whatever is offered, there is an answer with as many lines or an error, and nothing is left.
func FuzzAnswer(f *testing.F) {
	f.Add(chromium(f))
	h := newHouse(f, Config{})
	f.Fuzz(func(t *testing.T, text string) {
		p, answer, err := h.newPeer(context.Background(), text)
		if err != nil {
			return
		}
		p.close()
		if got, want := strings.Count("\n"+answer, "\nm="), strings.Count("\n"+text, "\nm="); got != want {
			t.Fatalf("%d lines for %d", got, want)
		}
	})
}
