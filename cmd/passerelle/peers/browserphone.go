package peers

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BrowserPhone is a Chromium with a telephone on its page (testdata/peers/jssip): JsSIP speaks SIP through a WebSocket,
// and WebRTC carries the sound.
type BrowserPhone struct{ *Browser }

// StartBrowserPhone starts a Chromium that trusts the gateway's certificate, and connects it.
func StartBrowserPhone(t testing.TB, dir string, g *Gateway, config BrowserConfig) *BrowserPhone {
	t.Helper()
	page := httptest.NewServer(telephonePage(t, dir))
	t.Cleanup(page.Close)
	config.Trusts = keyHash(t, filepath.Join(g.dir, "gateway.crt"))
	p := &BrowserPhone{StartBrowser(t, dir, config)}
	p.Open(t, page.URL)
	options, err := json.Marshal(map[string]string{"url": "wss://" + g.Web.String(), "name": config.Name})
	if err != nil {
		t.Fatal(err)
	}
	p.Evaluate(t, fmt.Sprintf("telephone.start(%s)", options), nil)
	p.AwaitTold(t, "connected", 10*time.Second)
	return p
}

// telephonePage serves the page, and JsSIP as package-lock.json pins it, made one file as its own makers do.
func telephonePage(t testing.TB, dir string) http.Handler {
	t.Helper()
	bundle := filepath.Join(dir, "jssip.js")
	build := exec.Command(filepath.Join(NodeModules(), ".bin", "esbuild"), filepath.Join(NodeModules(), "jssip", "lib", "JsSIP.js"),
		"--bundle", "--format=iife", "--global-name=JsSIP", "--log-level=error", "--outfile="+bundle)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("JsSIP in one file: %v (run .ci/peers.sh)\n%s", err, out)
	}
	mux := http.NewServeMux()
	for path, file := range map[string]string{"/{$}": Data("jssip", "page.html"), "/page.js": Data("jssip", "page.js"), "/jssip.js": bundle} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// keyHash returns what Chromium calls a certificate by: its public key's hash.
func keyHash(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(hash[:])
}

// Dial calls, and returns when the call is up and sound can flow.
func (p *BrowserPhone) Dial(t testing.TB, uri string) {
	t.Helper()
	p.Evaluate(t, fmt.Sprintf("telephone.call(%q)", uri), nil)
	p.Await(t, "telephone.last()?.startsWith('confirmed') && window.__recorder.connections.at(-1).connectionState == 'connected'", 10*time.Second)
}

// Does calls a function of the page's telephone.
func (p *BrowserPhone) Does(t testing.TB, call string) {
	t.Helper()
	p.Evaluate(t, "telephone."+call+", null", nil)
}

// AwaitTold waits until something has happened.
func (p *BrowserPhone) AwaitTold(t testing.TB, what string, within time.Duration) {
	t.Helper()
	p.Await(t, fmt.Sprintf("telephone.told(%q)", what), within)
}
