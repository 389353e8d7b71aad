package peers

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// BrowserConfig says what kind of Chromium to start.
type BrowserConfig struct {
	Name       string // the participant's
	Microphone string // a WAV file of 48000 Hz, mono; played again and again, once with Once
	Once       bool
	Locale     string // "en-GB" where it is empty
	Trusts     string // the hash of the key of a certificate that nobody else vouches for
}

// Browser is one Chromium with one page, at a room of the gateway.
type Browser struct {
	BrowserConfig
	dir    string
	driver *driver
}

// StartBrowser starts a Chromium. Its folder is dir/NAME.
func StartBrowser(t testing.TB, dir string, config BrowserConfig) *Browser {
	t.Helper()
	b := &Browser{BrowserConfig: config, dir: Sub(t, dir, config.Name)}
	microphone := config.Microphone
	if config.Once {
		microphone += "%noloop"
	}
	var env []string
	if config.Locale != "" {
		env = append(env, "PASSERELLE_LOCALE="+config.Locale)
	}
	if config.Trusts != "" {
		env = append(env, "PASSERELLE_TRUSTS="+config.Trusts)
	}
	b.driver = startDriver(t, b.dir, microphone, env)
	select {
	case <-b.driver.ready:
	case <-b.driver.done:
		t.Fatalf("%s: the browser did not start: %v\n%s", b.Name, b.driver.complaints(), b.driver.process.Tail(30))
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: the browser takes more than 30 s to start\n%s", b.Name, b.driver.process.Tail(30))
	}
	return b
}

// Open loads a page.
func (b *Browser) Open(t testing.TB, url string) {
	t.Helper()
	b.do(t, "open", map[string]any{"url": url}, nil)
}

// Fill types text, Click clicks, where a CSS selector says.
func (b *Browser) Fill(t testing.TB, selector, text string) {
	t.Helper()
	b.do(t, "fill", map[string]any{"selector": selector, "text": text}, nil)
}

// Click clicks.
func (b *Browser) Click(t testing.TB, selector string) {
	t.Helper()
	b.do(t, "click", map[string]any{"selector": selector}, nil)
}

// Await waits until a JavaScript expression is true in the page.
func (b *Browser) Await(t testing.TB, expression string, within time.Duration) {
	t.Helper()
	err := b.driver.do("wait", map[string]any{"expression": expression, "ms": within.Milliseconds()}, within+5*time.Second, nil)
	if err != nil {
		b.Screenshot(t, "failed.png")
		t.Fatalf("%s: %v\nconsole: %v", b.Name, err, b.driver.said())
	}
}

// Evaluate evaluates a JavaScript expression in the page, and decodes its value.
func (b *Browser) Evaluate(t testing.TB, expression string, value any) {
	t.Helper()
	b.do(t, "evaluate", map[string]any{"expression": expression}, value)
}

// Offline takes the network away from the page, or gives it back.
func (b *Browser) Offline(t testing.TB, on bool) {
	t.Helper()
	b.do(t, "offline", map[string]any{"on": on}, nil)
}

// Screenshot keeps what the page looks like in the browser's folder, and returns where.
func (b *Browser) Screenshot(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(b.dir, name)
	b.do(t, "screenshot", map[string]any{"path": path}, nil)
	return path
}

// Heard writes what the page has played since its first connection, the sum of all its tracks at
// 48000 Hz, and returns where.
func (b *Browser) Heard(t testing.TB) string {
	t.Helper()
	path := filepath.Join(b.dir, "heard.wav")
	b.do(t, "recording", map[string]any{"path": path}, nil)
	return path
}

// Violation is a rule of accessibility that the page breaks, as axe-core sees it.
type Violation struct {
	ID, Impact, Help string
	Nodes            []string
}

// Axe returns what axe-core finds wrong with the page.
func (b *Browser) Axe(t testing.TB) (found []Violation) {
	t.Helper()
	b.do(t, "axe", nil, &found)
	return found
}

// Complaints returns the errors in the browser's console.
func (b *Browser) Complaints() []Console { return b.driver.complaints() }

func (b *Browser) do(t testing.TB, command string, fields map[string]any, result any) {
	t.Helper()
	if err := b.driver.do(command, fields, 30*time.Second, result); err != nil {
		t.Fatalf("%s: %v\nconsole: %v", b.Name, err, b.driver.said())
	}
}

// Stats are the figures of a page's peer connections, summed over those that are connected.
type Stats struct {
	Connections        int
	PacketsReceived    int
	PacketsLost        int
	NACKs              int // that this browser sent
	ConcealedSamples   int // made up because the packet had not come in time
	SilentConcealed    int // of these, made up as silence
	ConcealmentEvents  int
	TotalSamples       int     // played
	InsertedSamples    int     // to slow down
	RemovedSamples     int     // to catch up
	JitterBufferMillis float64 // mean time in the jitter buffer
	PacketsSent        int
	RemoteLost         int     // of what we sent, as the gateway reports
	RoundTripMillis    float64 // as the gateway's reports tell
}

// Stats asks the page's connections how they are.
func (b *Browser) Stats(t testing.TB) Stats {
	t.Helper()
	var connections []struct {
		State   string           `json:"state"`
		Reports []map[string]any `json:"reports"`
	}
	b.do(t, "stats", nil, &connections)
	var s Stats
	var delay, emitted float64
	for _, c := range connections {
		if c.State != "connected" {
			continue
		}
		s.Connections++
		for _, r := range c.Reports {
			n := func(field string) float64 { v, _ := r[field].(float64); return v }
			switch r["type"] {
			case "inbound-rtp":
				s.PacketsReceived += int(n("packetsReceived"))
				s.PacketsLost += int(n("packetsLost"))
				s.NACKs += int(n("nackCount"))
				s.ConcealedSamples += int(n("concealedSamples"))
				s.SilentConcealed += int(n("silentConcealedSamples"))
				s.ConcealmentEvents += int(n("concealmentEvents"))
				s.TotalSamples += int(n("totalSamplesReceived"))
				s.InsertedSamples += int(n("insertedSamplesForDeceleration"))
				s.RemovedSamples += int(n("removedSamplesForAcceleration"))
				delay += n("jitterBufferDelay")
				emitted += n("jitterBufferEmittedCount")
			case "outbound-rtp":
				s.PacketsSent += int(n("packetsSent"))
			case "remote-inbound-rtp":
				s.RemoteLost += int(n("packetsLost"))
				s.RoundTripMillis = 1000 * n("roundTripTime")
			}
		}
	}
	if emitted > 0 {
		s.JitterBufferMillis = 1000 * delay / emitted
	}
	return s
}

func (s Stats) String() string {
	return fmt.Sprintf("received %d lost %d nacks %d concealed %d (%d silent) in %d events of %d samples, jitter buffer %.0f ms; sent %d lost %d",
		s.PacketsReceived, s.PacketsLost, s.NACKs, s.ConcealedSamples, s.SilentConcealed, s.ConcealmentEvents, s.TotalSamples,
		s.JitterBufferMillis, s.PacketsSent, s.RemoteLost)
}
