package bridge

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"passerelle/config"
	"passerelle/sip"
)

func TestRoute(t *testing.T) {
	live := &config.Live{
		Trunks: []config.Trunk{
			{Name: "operator", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
			{Name: "desk", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}, Trusted: true},
			{Name: "six", From: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}},
		},
		Menus: []config.Menu{{Name: "visio", Engine: "cloud", Languages: []string{"fr"}}},
		Routes: []config.Route{
			{From: []string{"operator", "six"}, To: "+33123456789", Room: "board", Engine: "house"},
			{From: []string{"operator"}, ToMatch: regexp.MustCompile(`^(?:conf-([a-z]+))$`), Room: "room-$1", Engine: "house"},
			{To: "lobby", Room: "lobby", Engine: "house"},
			{From: []string{"operator"}, ToMatch: regexp.MustCompile(`^(?:([0-9]{4})#?)$`), Menu: "visio", PIN: config.NewSecret("$1"), Engine: "cloud"},
		},
	}
	for _, test := range []struct {
		rule, source, called, want string
		code                       int
	}{
		{rule: "a literal number", source: "192.0.2.1", called: "+33123456789", want: "house/board"},
		{rule: "visual separators say nothing", source: "192.0.2.1", called: "+33 1-23.45(67)89", want: "house/board"},
		{rule: "the same number by IPv6", source: "2001:db8::1", called: "+33123456789", want: "house/board"},
		{rule: "an IPv4 address in IPv6 clothes", source: "::ffff:192.0.2.1", called: "+33123456789", want: "house/board"},
		{rule: "a match makes the room's name", source: "192.0.2.1", called: "conf-sales", want: "house/room-sales"},
		{rule: "a match is of the whole", source: "192.0.2.1", called: "xconf-sales", code: 404},
		{rule: "without from only trusted trunks", source: "192.0.2.1", called: "lobby", code: 404},
		{rule: "the longest prefix is the trunk", source: "192.0.2.7", called: "lobby", want: "house/lobby"},
		{rule: "another trunk's route is not taken", source: "192.0.2.7", called: "+33123456789", code: 404},
		{rule: "a menu, and no PIN for the log", source: "192.0.2.1", called: "0042#", want: "menu visio"},
		{rule: "no trunk", source: "198.51.100.1", called: "lobby", code: 403},
		{rule: "no user part", source: "192.0.2.7", called: "", code: 404},
		{rule: "letters are not numbers", source: "192.0.2.1", called: "+33123456789a", code: 404},
	} {
		t.Run(test.rule, func(t *testing.T) {
			source := netip.AddrPortFrom(netip.MustParseAddr(test.source), 5060)
			got, err := newDirectory(live).route("", sip.Invite{Source: source, RequestURI: sip.URI{User: test.called}}, nil, time.Now())
			if test.code != 0 {
				var refused *refusal
				if !errors.As(err, &refused) || refused.code != test.code {
					t.Fatalf("route(%s, %q) = %v, %v, want refusal %d", test.source, test.called, got, err, test.code)
				}
				return
			}
			if err != nil || got.String() != test.want {
				t.Fatalf("route(%s, %q) = %v, %v, want %s", test.source, test.called, got, err, test.want)
			}
		})
	}
}

func TestThePINThatComesWithACall(t *testing.T) {
	for _, test := range []struct {
		rule, routed string
		header       []string
		want         string
	}{
		{"as it was routed", "0042117", nil, "0042117"},
		{"a pound key at its end says nothing", "0042117#", nil, "0042117"},
		{"nor do blanks", " 0042 117 #", nil, "0042117"},
		{"from the header", "", []string{"0042 117"}, "0042117"},
		{"the route comes first", "1", []string{"2"}, "1"},
		{"none", "", nil, ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := firstPIN(test.routed, test.header); got != test.want {
				t.Errorf("firstPIN(%q, %q) = %q, want %q", test.routed, test.header, got, test.want)
			}
		})
	}
}

func TestKnown(t *testing.T) {
	live := &config.Live{Trunks: []config.Trunk{{From: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}}}
	for source, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "::1": false} {
		if got := Known(live, "", netip.MustParseAddr(source)); got != want {
			t.Errorf("Known(%s) = %v, want %v", source, got, want)
		}
	}
}

func TestPhoneName(t *testing.T) {
	for _, test := range []struct{ rule, display, user, want string }{
		{"a display name", "Ada Lovelace", "+33123456789", "Ada Lovelace"},
		{"a number as the display name is masked too", "+33123456789", "x", "+33 1 •• •• •• 89"},
		{"a number within a display name as well", "Ada 0123456789", "x", "Ada 01••••••89"},
		{"no display name", "", "+33123456789", "+33 1 •• •• •• 89"},
		{"a national number", "", "0123456789", "01 •• •• •• 89"},
		{"a foreign number", "", "+4930123456", "+493•••••56"},
		{"an extension", "", "2001", "2••1"},
		{"a room system's address is no name", "192.0.2.7", "192.0.2.7", "Phone"},
		{"anonymous", "Anonymous", "anonymous", "Phone"},
		{"nothing at all", "", "", "Phone"},
		{"a floor number may stay", "Floor 3", "", "Floor 3"},
		{"control characters go", "A\x00d\x1ba\n", "", "Ada"},
		{"digits of another script are digits", "٠١٢٣٤٥٦٧٨٩", "", "٠١••••••٨٩"},
		{"not UTF-8", "Ad\xffa", "", "Ada"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := phoneName(test.display, test.user); got != test.want {
				t.Errorf("phoneName(%q, %q) = %q, want %q", test.display, test.user, got, test.want)
			}
		})
	}
}

func TestTheLogHoldsNoNumber(t *testing.T) {
	if got := (destination{engine: "house", room: "0123456789"}).String(); got != "house/01 •• •• •• 89" {
		t.Errorf("a room named by a number is logged as %s", got)
	}
}

func TestAsserted(t *testing.T) {
	for _, test := range []struct {
		rule, value, display, user string
		ok                         bool
	}{
		{"a SIP URI", `<sip:+33123456789@operator.example>`, "", "+33123456789", true},
		{"with a display name", `"Ada Lovelace" <sip:2001@pbx.example;user=phone>`, "Ada Lovelace", "2001", true},
		{"the first of several", `"Ada" <sip:2001@pbx.example>, <tel:+33123456789>`, "Ada", "2001", true},
		{"a bracket in the name", `"Ada <3" <sip:2001@pbx.example>`, "Ada <3", "2001", true},
		{"a tel URI", `<tel:+33123456789;ext=1>`, "", "+33123456789", true},
		{"without brackets", `sip:2001@pbx.example`, "", "2001", true},
		{"no user part", `<sip:pbx.example>`, "", "", false},
		{"another scheme", `<mailto:ada@example.org>`, "", "", false},
		{"a bracket that never closes", `<sip:2001@pbx.example`, "", "", false},
		{"nothing", ``, "", "", false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			display, user, ok := asserted(test.value)
			if ok != test.ok || ok && (display != test.display || user != test.user) {
				t.Errorf("asserted(%q) = %q, %q, %v", test.value, display, user, ok)
			}
		})
	}
}

// FuzzAsserted: what is read as an identity stands in the header.
func FuzzAsserted(f *testing.F) {
	f.Add(`"Ada" <sip:2001@pbx.example>, <tel:+33123456789>`)
	f.Add(`><`)
	f.Fuzz(func(t *testing.T, value string) {
		display, user, ok := asserted(value)
		if ok && (user == "" || !strings.Contains(value, user) || !strings.Contains(value, display)) {
			t.Errorf("asserted(%q) = %q, %q", value, display, user)
		}
	})
}

// A call that offers video is sent elsewhere, any other stays.
func TestRedirectOfVideo(t *testing.T) {
	all := regexp.MustCompile(`\A(?:(.+))\z`)
	live := &config.Live{
		Trunks: []config.Trunk{{Name: "rooms", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
		Routes: []config.Route{
			{From: []string{"rooms"}, ToMatch: all, Video: true, Redirect: "sip:$1@video.example"},
			{From: []string{"rooms"}, ToMatch: all, Room: "$1", Engine: "house"},
		},
	}
	const sound = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	const video = sound + "m=video 4002 RTP/AVP 96\r\n"
	for _, test := range []struct {
		rule, called, body, to string
		code                   int
	}{
		{"video is sent elsewhere", "board", video, "sip:board@video.example", 302},
		{"sound stays", "board", sound, "", 0},
		{"nothing offered stays", "board", "", "", 0},
		{"what is no part of an address is not sent", "a>b", video, "", 404},
	} {
		t.Run(test.rule, func(t *testing.T) {
			invite := sip.Invite{Source: netip.MustParseAddrPort("192.0.2.1:5060"), RequestURI: sip.URI{User: test.called}, Body: []byte(test.body)}
			got, err := newDirectory(live).route("", invite, nil, time.Now())
			if test.code == 0 {
				if err != nil || got.room != "board" {
					t.Errorf("got %v, %v, want the room", got, err)
				}
				return
			}
			if r := refusalOf(err); r.Code != test.code || r.Contact != test.to || got.trace.Code != test.code {
				t.Errorf("got %d to %q (trace %d), want %d to %q", r.Code, r.Contact, got.trace.Code, test.code, test.to)
			}
		})
	}
}
