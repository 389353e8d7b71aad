package sip

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// TestDeviceMessages reads messages of real devices, which are not part of the repository.
func TestDeviceMessages(t *testing.T) {
	folder := os.Getenv("PASSERELLE_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(folder, "sdp", "*.sip"))
	if len(files) == 0 {
		t.Skip("there are no messages of real devices beside the repository (PASSERELLE_SHARED names their folder)")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, body, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n"), "\r\n\r\n")
			req := parseDevice(t, head, body)
			offer, err := sdpOf(req)
			asked := readSession(req)
			switch req.Method {
			case sip.INVITE:
				if err != nil || (len(body) > 0) != (len(offer) > 0) || len(offer) > 0 && !strings.HasPrefix(string(offer), "v=0") {
					t.Errorf("the offer is %q, %v", offer, err)
				}
				if asked.interval < minSession || !asked.supported || tooShort(req) {
					t.Errorf("the session timer is %+v", asked)
				}
				if tags := unsupported(req); len(tags) > 0 {
					t.Errorf("it requires %v", tags)
				}
			case sip.UPDATE:
				if offer != nil || asked != (askedSession{900 * time.Second, "uac", 900 * time.Second, true}) {
					t.Errorf("the refresh is %+v, with %q", asked, offer)
				}
			case sip.INFO:
				if key := keyOf(req.Body()); key == 0 {
					t.Errorf("no key in %q", req.Body())
				}
			}
		})
	}
}

// parseDevice parses a message, with its length as it is here.
func parseDevice(t *testing.T, head, body string) *sip.Request {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if !strings.HasPrefix(line, "Content-Length") {
			lines = append(lines, line)
		}
	}
	msg, err := sip.ParseMessage([]byte(wireMessage(body, lines...)))
	if err != nil {
		t.Fatal(err)
	}
	return msg.(*sip.Request)
}
