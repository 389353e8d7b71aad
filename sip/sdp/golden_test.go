package sdp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/sdp/v3"
	"github.com/rogpeppe/go-internal/txtar"

	"passerelle/codec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads testdata/*.txtar: a policy (our side) and an offer, with the answer and the media, or the error, that
// are wanted; or a policy alone, with the offer wanted, an answer to it, and the media or the error.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := func(name string) (string, bool) {
		for _, f := range archive.Files {
			if f.Name == name {
				return string(f.Data), true
			}
		}
		return "", false
	}
	policy, _ := part("policy")
	local := parsePolicy(t, policy)
	var got []txtar.File
	add := func(name, data string) { got = append(got, txtar.File{Name: name, Data: []byte(data)}) }
	var media Media
	if offer, ok := part("offer"); ok {
		add("policy", policy)
		add("offer", offer)
		var answer []byte
		answer, media, err = Answer(crlf(offer), local)
		if err == nil {
			add("want answer", lf(t, answer))
		}
	} else {
		offer, oerr := Offer(local)
		if oerr != nil {
			t.Fatal(oerr)
		}
		answer, _ := part("answer")
		add("policy", policy)
		add("want offer", lf(t, offer))
		add("answer", answer)
		media, err = ReadAnswer(offer, crlf(answer), local)
	}
	if err != nil {
		add("want error", printError(t, err))
	} else {
		add("want media", printMedia(media))
	}
	result := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: got})
	if *update {
		if err := os.WriteFile(file, result, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(archive); string(result) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", result, want)
	}
}

// crlf gives text the line ends of the wire.
func crlf(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

// lf takes them away, and fails if one was missing.
func lf(t *testing.T, body []byte) string {
	t.Helper()
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	if strings.Contains(text, "\r") || strings.Count(text, "\n") != strings.Count(string(body), "\r\n") {
		t.Errorf("line ends of %q", body)
	}
	return text
}

// parsePolicy reads our side, one "key value..." a line; what is not said is PCMU and PCMA at 198.51.100.7:20000.
func parsePolicy(t *testing.T, text string) Local {
	t.Helper()
	local := Local{
		Origin:  Origin{ID: 1000, Version: 1},
		Address: netip.MustParseAddrPort("198.51.100.7:20000"),
		Codecs:  []codec.Kind{codec.PCMU, codec.PCMA},
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "address":
			local.Address = netip.MustParseAddrPort(fields[1])
		case "rtcp":
			local.RTCP = netip.MustParseAddrPort(fields[1])
		case "rtcp-mux":
			local.RTCPMux = true
		case "ptime":
			ptime, err := time.ParseDuration(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			local.PTime = ptime
		case "direction":
			local.Direction = directionOf(nil, []pion.Attribute{{Key: fields[1]}})
		case "srtp":
			local.Security = parseSecurity(t, fields[1:])
		case "dtls":
			local.Security.Fingerprint = "sha-256 " + strings.TrimSuffix(strings.Repeat("0A:", 32), ":")
			local.Security.Exchange = map[string]Exchange{"too": AnyExchange, "never": SDES, "only": Handshake}[fields[1]]
		case "codecs":
			local.Codecs = nil
			for _, name := range fields[1:] {
				local.Codecs = append(local.Codecs, kindNamed(t, name))
			}
		default:
			t.Fatalf("policy %q", line)
		}
	}
	return local
}

// parseSecurity reads a policy and suites. Each key that is made is one letter, from A.
func parseSecurity(t *testing.T, fields []string) Security {
	t.Helper()
	s := Security{Policy: map[string]Policy{"plain": Plain, "optional": Optional, "required": Required}[fields[0]]}
	for _, name := range fields[1:] {
		s.Suites = append(s.Suites, Suite(name))
	}
	made := byte(0)
	s.NewKey = func(size int) []byte {
		made++
		return bytes.Repeat([]byte{'A' + made - 1}, size)
	}
	return s
}

func kindNamed(t *testing.T, name string) codec.Kind {
	t.Helper()
	for kind := codec.PCMU; kind <= codec.ComfortNoise; kind++ {
		if kind.String() == name {
			return kind
		}
	}
	t.Fatalf("codec %s", name)
	return 0
}

func printMedia(m Media) string {
	var b strings.Builder
	fmt.Fprintf(&b, "remote %s, rtcp %s, mux %v\n", m.Remote, m.RemoteRTCP, m.RTCPMux)
	fmt.Fprintf(&b, "%s %d, %s, %s\n", m.Kind, m.PayloadType, m.PTime, m.Direction)
	if m.Bitrate > 0 {
		fmt.Fprintf(&b, "at most %d bit/s\n", m.Bitrate)
	}
	fmt.Fprintf(&b, "events %d at %d, comfort noise %d\n", m.TelephoneEvent, m.EventClock, m.ComfortNoise)
	fmt.Fprintf(&b, "peer %q, refused %q\n", m.PeerName, m.Refused)
	if c := m.Crypto; c != nil {
		fmt.Fprintf(&b, "%s, ours %q, theirs %q, mki %x %x, clear rtcp %v\n",
			c.Suite, c.Ours.Reveal(), c.Theirs.Reveal(), c.OurMKI, c.TheirMKI, c.ClearRTCP)
	}
	if d := m.DTLS; d != nil {
		fmt.Fprintf(&b, "handshake: active %v, %s\n", d.Active, d.Suites)
		for _, f := range d.Fingerprints {
			fmt.Fprintf(&b, "%s %x\n", f.Hash, f.Digest)
		}
		if d.ICE != nil {
			fmt.Fprintf(&b, "ICE %s %s, theirs %s\n", d.ICE.Ufrag, d.ICE.Password.Reveal(), d.ICE.RemoteUfrag)
		}
	}
	return b.String()
}

func printError(t *testing.T, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	code, reason := e.SIPStatus()
	warning, text := e.Warning()
	return fmt.Sprintf("%d %s\nWarning: %d %q\n", code, reason, warning, text)
}
