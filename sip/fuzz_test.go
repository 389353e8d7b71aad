package sip

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"
)

// found is what a splitter found in a stream.
type found struct {
	tok  token
	data string
	err  string
}

// cut runs a splitter over a stream that comes in pieces of these sizes, over and over.
func cut(stream []byte, sizes []byte) []found {
	s := splitter{max: 512}
	var all []found
	for i := 0; len(stream) > 0; i++ {
		n := 1
		if len(sizes) > 0 {
			n += int(sizes[i%len(sizes)])
		}
		n = min(n, len(stream))
		s.write(bytes.Clone(stream[:n]))
		stream = stream[n:]
		for {
			tok, data, err := s.next()
			if err != nil {
				return append(all, found{err: err.Error()})
			}
			if tok == needMore {
				break
			}
			all = append(all, found{tok: tok, data: string(data)})
		}
	}
	return all
}

// FuzzSplitter: what is found does not depend on how the stream is cut, and every message is whole.
func FuzzSplitter(f *testing.F) {
	m := "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b\r\nl: 3\r\n\r\nabc"
	for _, stream := range []string{
		m, m + m, "\r\n" + m, "\r\n\r\n" + m + "\r\n\r\n", "\r\n\r", "\r\n\r\n\r\n", m[:20],
		strings.Replace(m, "l: 3", "X: 1", 1), strings.Replace(m, "l: 3", "l: 3\r\nContent-Length: 4", 1),
		strings.Replace(m, "l: 3", "Content-Length:\r\n 3", 1), strings.Replace(m, "l: 3", "l: 99999", 1),
		strings.Replace(m, "l: 3", "X: "+strings.Repeat("x", 600), 1), "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(stream), []byte{0})
		f.Add([]byte(stream), []byte{3, 0, 7})
	}
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		whole, pieces := cut(stream, bytes.Repeat([]byte{255}, 4)), cut(stream, sizes)
		if !slices.Equal(whole, pieces) {
			t.Errorf("cut by %v:\ngot  %q\nwant %q", sizes, pieces, whole)
		}
		for _, f := range whole {
			if f.tok != message {
				continue
			}
			head, body, _ := strings.Cut(f.data, crlfcrlf)
			if n, err := contentLength([]byte(head + crlfcrlf)); err != nil || n != len(body) {
				t.Errorf("%q: body of %d bytes, Content-Length %d, %v", f.data, len(body), n, err)
			}
		}
	})
}

// FuzzGuard: what passes is what sipgo can take without harm, and what is answered can be.
// FuzzSized: a message of a WebSocket has the length of its body in it afterwards, and no byte that it had not; and once
// more it stays as it is.
func FuzzSized(f *testing.F) {
	m := "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/WS b\r\nl: 3\r\n\r\nabc"
	for _, msg := range []string{m, m + "d", m[:len(m)-1], strings.Replace(m, "l: 3", "X: 1", 1), strings.Replace(m, "l: 3", "l: 3\r\nl: 4", 1), "", "\r\n\r\n", "x\r\n\r\ny"} {
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := sized(bytes.Clone(msg))
		head, body, whole := bytes.Cut(got, []byte(crlfcrlf))
		if err != nil || !whole {
			if !bytes.Equal(got, msg) {
				t.Errorf("%q became %q", msg, got)
			}
			return
		}
		if n, err := contentLength(append(head, crlfcrlf...)); err != nil || n != len(body) {
			t.Errorf("%q: body of %d bytes, Content-Length %d, %v", got, len(body), n, err)
		}
		_, was, _ := bytes.Cut(msg, []byte(crlfcrlf))
		if !bytes.HasPrefix(was, body) {
			t.Errorf("body %q became %q", was, body)
		}
		if again, err := sized(bytes.Clone(got)); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q became %q, %v", got, again, err)
		}
	})
}

func FuzzGuard(f *testing.F) {
	good := "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKd\r\nFrom: <sip:e>;tag=f\r\nTo: <sip:a>\r\n" +
		"Call-ID: g\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
	for _, m := range []string{
		good,
		strings.ReplaceAll(good, "INVITE", "CANCEL"),
		strings.ReplaceAll(good, "INVITE", "ACK"),
		strings.ReplaceAll(good, "INVITE", "OPTIONS"),
		strings.Replace(good, "z9hG4bKd", "old", 1),
		strings.Replace(good, "c;", "[::1]:99999;", 1),
		strings.Replace(good, "CSeq: 1", "CSeq: -1", 1),
		strings.Replace(good, "Call-ID: g\r\n", "", 1),
		strings.Replace(good, "From: <", "From: \"<", 1),
		strings.Replace(good, "INVITE sip:a@b SIP/2.0", "SIP/2.0 200 OK", 1),
		"\r\n", "\x00\x00", "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(m), false)
		f.Add([]byte(m), true)
	}
	src := netip.MustParseAddrPort("192.0.2.1:5060")
	f.Fuzz(func(t *testing.T, data []byte, stream bool) {
		g := newGuard(Config{}.withDefaults())
		network := map[bool]string{false: "udp", true: "tcp"}[stream]
		v := g.judge(packet{src: src, network: network, data: bytes.Clone(data)}, time.Now())
		if v.pass && v.reply != nil {
			t.Error("passed and answered")
		}
		if v.pass {
			checkPassed(t, data, stream)
		}
		if v.reply != nil {
			checkReply(t, string(data), string(v.reply))
		}
	})
}

func checkPassed(t *testing.T, data []byte, stream bool) {
	msg, n, err := sip.NewParser().Parse(data, stream)
	if err != nil || stream && n != len(data) {
		t.Fatalf("%q passed: %d of %d bytes, %v", data, n, len(data), err)
	}
	if msg.Via() == nil || msg.From() == nil || msg.To() == nil || msg.CallID() == nil || msg.CSeq() == nil {
		t.Errorf("%q passed without a header that sipgo needs", data)
	}
	req, ok := msg.(*sip.Request)
	if !ok {
		return
	}
	if req.Method == sip.CANCEL {
		t.Errorf("%q passed: a CANCEL", data)
	}
	if _, err := sip.ServerTxKeyMake(req); err != nil {
		t.Errorf("%q passed: %v", data, err)
	}
	newResponse(req, netip.MustParseAddrPort("192.0.2.1:5060"), 200, "OK", "t", "s")
	newInvite(req, netip.AddrPort{}, netip.AddrPort{})
	_, _ = sdpOf(req)
	_ = contactOf(req)
	_, _ = refusedOutright(req)
}

// checkReply: one response, nothing after its headers, no line that the request could have slipped in.
func checkReply(t *testing.T, data, reply string) {
	if strings.HasPrefix(data, "ACK ") {
		t.Errorf("an ACK is answered: %q", reply)
	}
	if !strings.HasPrefix(reply, "SIP/2.0 ") || strings.Index(reply, crlfcrlf) != len(reply)-4 {
		t.Errorf("no single response: %q", reply)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(reply, crlfcrlf), crlf) {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line within a line: %q", line)
		}
	}
	if len(reply) > 2*len(data)+400 {
		t.Errorf("%d bytes answer %d", len(reply), len(data))
	}
}

// FuzzCancel: only a CANCEL with the ids of the INVITE, from its address, reaches the dialog.
func FuzzCancel(f *testing.F) {
	invite := "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKd\r\nFrom: <sip:e>;tag=f\r\nTo: <sip:a>\r\n" +
		"Call-ID: g\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	cancel := strings.ReplaceAll(invite, "INVITE", "CANCEL")
	for _, m := range []string{
		cancel, strings.Replace(cancel, "g\r", "h\r", 1), strings.Replace(cancel, "tag=f", "tag=x", 1),
		strings.Replace(cancel, "CSeq: 1", "CSeq: 2", 1), strings.Replace(cancel, "bKd", "bKe", 1),
	} {
		f.Add([]byte(m), true)
		f.Add([]byte(m), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, sameAddress bool) {
		g := newGuard(Config{}.withDefaults())
		src := netip.MustParseAddrPort("192.0.2.1:5060")
		if v := g.judge(packet{src: src, network: "udp", data: []byte(invite)}, time.Now()); !v.pass {
			t.Fatal("the INVITE does not pass")
		}
		msg, _ := sip.ParseMessage([]byte(invite))
		i, _ := g.invites.take(msg.(*sip.Request), src.Addr())
		told := false
		g.invites.watch(i, func(string) { told = true })
		from := src
		if !sameAddress {
			from = netip.MustParseAddrPort("192.0.2.2:5060")
		}
		g.judge(packet{src: from, network: "udp", data: bytes.Clone(data)}, time.Now())
		if !told {
			return
		}
		got, err := sip.ParseMessage(data)
		if err != nil || !sameAddress {
			t.Fatalf("%q cancelled: %v", data, err)
		}
		req := got.(*sip.Request)
		if req.Method != sip.CANCEL || idOf(req) != i.id {
			t.Errorf("%q cancelled %+v", data, i.id)
		}
	})
}

// FuzzBody: the SDP that is found is in the body.
// FuzzKey holds that only keys are read as keys, and each one that is written is read.
func FuzzKey(f *testing.F) {
	f.Add("Signal=5\r\nDuration=160\r\n")
	f.Add("#")
	f.Add("11")
	f.Fuzz(func(t *testing.T, body string) {
		key := keyOf([]byte(body))
		if key == 0 {
			return
		}
		if !strings.ContainsRune("0123456789*#ABCD", key) {
			t.Fatalf("%q is read as %q", body, key)
		}
		if again := keyOf([]byte("Signal=" + string(key) + "\r\nDuration=100\r\n")); again != key {
			t.Fatalf("%q is read as %q", key, again)
		}
	})
}

// FuzzReason holds that what a peer says is one line, and not much.
func FuzzReason(f *testing.F) {
	f.Add(`Q.850;cause=16;text="Normal call clearing"`)
	f.Fuzz(func(t *testing.T, value string) {
		if got := reasonText([]string{value}); len(got) > maxReason || !printable(got) {
			t.Fatalf("%q is read as %q", value, got)
		}
	})
}

// FuzzBecause: the reason of the telephone network is found among others, as it was written.
func FuzzBecause(f *testing.F) {
	f.Add("SIP;cause=486", uint16(17), "User busy")
	f.Add(`SIP;text="a, \\";cause=1`, uint16(0), `a "quoted, \\" one`)
	f.Add(`,,"`, uint16(127), "")
	f.Fuzz(func(t *testing.T, other string, cause uint16, text string) {
		if r := becauseOf([]string{other}); len(r.Text) > maxReason || len(r.Protocol) > maxReason || strings.ContainsAny(r.String(), "\r\n") {
			t.Errorf("%q is %+v", other, r)
		}
		want := Reason{Protocol: q850, Cause: int(cause), Text: oneLine(text)}
		if len(want.Text) > maxReason || !utf8.ValidString(want.Text) {
			return
		}
		for _, value := range []string{want.header()[0].Value(), "SIP;cause=1;text=\"a, b\", " + want.header()[0].Value()} {
			if got := becauseOf([]string{value}); got != want {
				t.Errorf("%q is %+v, want %+v", value, got, want)
			}
		}
	})
}

// FuzzSession holds that a session interval is none, or one that can be kept.
func FuzzSession(f *testing.F) {
	f.Add("1800;refresher=uac", "90")
	f.Fuzz(func(t *testing.T, expires, least string) {
		res := sip.NewResponse(200, "OK")
		res.AppendHeader(sip.NewHeader("Session-Expires", expires))
		res.AppendHeader(sip.NewHeader("Min-SE", least))
		a := readSession(res)
		if a.interval < 0 || a.interval > maxSession || a.least < 0 || a.least > maxSession || a.interval%time.Second != 0 {
			t.Fatalf("%q, %q: %+v", expires, least, a)
		}
		if a.interval == 0 {
			return
		}
		again := sip.NewResponse(200, "OK")
		again.AppendHeader(sip.NewHeader("Session-Expires", wholeSeconds(a.interval)+";refresher="+a.refresher))
		again.AppendHeader(sip.NewHeader("Min-SE", wholeSeconds(a.least)))
		if b := readSession(again); b != a {
			t.Fatalf("%q, %q: %+v, printed %+v", expires, least, a, b)
		}
	})
}

func Fuzz(f *testing.F) {
	f.Add("application/sdp", []byte("v=0\r\n"))
	f.Add("multipart/mixed;boundary=b", []byte("--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n"))
	f.Add("multipart/mixed", []byte("--\r\n\r\n"))
	f.Add("text/plain", []byte("v=0"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		req := sip.NewRequest(sip.INVITE, sip.Uri{})
		req.AppendHeader(sip.NewHeader("Content-Type", kind))
		req.SetBody(body)
		sdp, err := sdpOf(req)
		if err == nil && !bytes.Contains(body, sdp) {
			t.Errorf("%q is not in %q", sdp, body)
		}
	})
}

// FuzzText: what is written into a header is read out of it again.
func FuzzText(f *testing.F) {
	f.Add("no codec", "ada")
	f.Add(`a "quoted" \ word`, "+33 1;@:%")
	f.Add("two\r\nlines", "é\x00")
	f.Add("0", "//")
	f.Fuzz(func(t *testing.T, text, user string) {
		if want := (Warning{399, oneLine(text)}); text != "" {
			if got := parseWarning(warningValue(want, "a.example")); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if user == "" || !printable(user) {
			return
		}
		var u sip.Uri
		if err := sip.ParseUri("sip:"+escapeUser(user)+"@b", &u); err != nil {
			t.Fatalf("%q: %v", user, err)
		}
		if got := userOf(&u); got != user || u.Host != "b" {
			t.Errorf("got %q at %q, want %q", got, u.Host, user)
		}
	})
}

// BenchmarkGuard measures what a message costs before sipgo sees it.
func BenchmarkGuard(b *testing.B) {
	g := newGuard(Config{Limits: Limits{
		InvitesPerSecond: 1 << 30, MessagesPerSecond: 1 << 30, AllInvitesPerSecond: 1 << 30, AllMessagesPerSecond: 1 << 30,
	}}.withDefaults())
	src := netip.MustParseAddrPort("192.0.2.1:5060")
	invite := wireMessage(testSDP,
		"INVITE sip:room@192.0.2.9 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabcdef;rport", "Max-Forwards: 70",
		`From: "Ada" <sip:ada@192.0.2.1>;tag=1`, "To: <sip:room@192.0.2.9>", "Call-ID: abcdef@192.0.2.1", "CSeq: 1 INVITE",
		"Contact: <sip:ada@192.0.2.1:5060>", "User-Agent: a phone", "Allow: INVITE, ACK, BYE", "Content-Type: application/sdp")
	for b.Loop() {
		now := time.Now()
		g.pause(src, now)
		if v := g.judge(packet{src: src, network: "udp", data: []byte(invite)}, now); !v.pass {
			b.Fatal("it does not pass")
		}
	}
}
