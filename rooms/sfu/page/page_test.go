package page_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"passerelle/rooms/sfu/page"
)

// get asks the handler and returns its answer with the body.
func get(t *testing.T, method, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	page.Handler().ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return res, string(body)
}

var assetPath = regexp.MustCompile(`/-/assets/[0-9a-f]{16}/[a-z.]+`)

func TestHandlerPaths(t *testing.T) {
	_, index := get(t, "GET", "/")
	style := assetPath.FindString(index)
	dir := style[:strings.LastIndex(style, "/")+1]
	tests := []struct {
		name, method, path string
		status             int
		kind               string
	}{
		{"the start page", "GET", "/", 200, "text/html; charset=utf-8"},
		{"a room", "GET", "/board", 200, "text/html; charset=utf-8"},
		{"a room of another script", "GET", "/%E6%9C%83%E8%AD%B0", 200, "text/html; charset=utf-8"},
		{"a room, head only", "HEAD", "/board", 200, "text/html; charset=utf-8"},
		{"no room's name", "GET", "/a%20b", 404, "text/html; charset=utf-8"},
		{"no room's name, head only", "HEAD", "/a%20b", 404, "text/html; charset=utf-8"},
		{"a path below a room", "GET", "/board/minutes", 404, "text/html; charset=utf-8"},
		{"a path that climbs", "GET", "/../etc/passwd", 404, "text/plain; charset=utf-8"},
		{"a doubled slash", "GET", "//board", 404, "text/plain; charset=utf-8"},
		{"a page is not written to", "POST", "/board", 405, "text/plain; charset=utf-8"},
		{"a module", "GET", dir + "main.js", 200, "text/javascript; charset=utf-8"},
		{"a style sheet", "GET", dir + "base.css", 200, "text/css; charset=utf-8"},
		{"the icon", "GET", dir + "icon.svg", 200, "image/svg+xml"},
		{"the icon, where browsers look unasked", "GET", "/favicon.ico", 200, "image/svg+xml"},
		{"an asset of another version", "GET", "/-/assets/0000000000000000/main.js", 404, "text/plain; charset=utf-8"},
		{"an asset that is not there", "GET", dir + "secret.js", 404, "text/plain; charset=utf-8"},
		{"the HTML is no asset", "GET", dir + "index.html", 404, "text/plain; charset=utf-8"},
		{"no listing", "GET", dir, 404, "text/plain; charset=utf-8"},
		{"the WebSocket is not ours", "GET", page.SocketPath, 404, "text/plain; charset=utf-8"},
		{"search engines stay away", "GET", "/robots.txt", 200, "text/plain; charset=utf-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := get(t, tt.method, tt.path)
			if res.StatusCode != tt.status {
				t.Errorf("%s %s: got status %d, want %d", tt.method, tt.path, res.StatusCode, tt.status)
			}
			if got := res.Header.Get("Content-Type"); got != tt.kind {
				t.Errorf("%s %s: got type %q, want %q", tt.method, tt.path, got, tt.kind)
			}
			if tt.method == "HEAD" && body != "" {
				t.Errorf("HEAD %s: got a body of %d bytes", tt.path, len(body))
			}
			if res.Header.Get("Location") != "" {
				t.Errorf("%s %s: redirects to %q", tt.method, tt.path, res.Header.Get("Location"))
			}
		})
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	for _, path := range []string{"/", "/board", "/a%20b", "/-/nothing", "//", "/favicon.ico"} {
		res, _ := get(t, "GET", path)
		policy := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
			"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
		} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("%s: policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q allows something unsafe", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY",
			"Referrer-Policy":        "no-referrer",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", path, name, got, want)
			}
		}
		if got := res.Header.Get("Permissions-Policy"); !strings.Contains(got, "microphone=(self)") || !strings.Contains(got, "camera=()") {
			t.Errorf("%s: got Permissions-Policy %q", path, got)
		}
	}
}

func TestCaching(t *testing.T) {
	_, index := get(t, "GET", "/")
	asset := assetPath.FindString(index)
	tests := []struct{ name, path, want string }{
		{"the HTML is asked for each time", "/board", "no-cache"},
		{"an asset is kept for ever", asset, "public, max-age=31536000, immutable"},
		{"a refusal is not kept", "/a%20b", "no-store"},
		{"a missing asset is not kept", asset + "x", "no-store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, _ := get(t, "GET", tt.path)
			if got := res.Header.Get("Cache-Control"); got != tt.want {
				t.Errorf("%s: got Cache-Control %q, want %q", tt.path, got, tt.want)
			}
		})
	}
	res, _ := get(t, "GET", "/board")
	again, body := get(t, "GET", "/board", "If-None-Match", res.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("the same HTML again: got %d and %d bytes, want 304 and none", again.StatusCode, len(body))
	}
}

func TestCompression(t *testing.T) {
	plain, body := get(t, "GET", "/board")
	if got := plain.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("not asked for: got Content-Encoding %q", got)
	}
	packed, small := get(t, "GET", "/board", "Accept-Encoding", "deflate, gzip;q=0.9, br")
	if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("asked for: got Content-Encoding %q", got)
	}
	if packed.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Error("both have the same ETag")
	}
	if got := packed.Header.Get("Vary"); got != "Accept-Encoding" {
		t.Errorf("got Vary %q", got)
	}
	z, err := gzip.NewReader(strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || string(unpacked) != body {
		t.Errorf("unpacked, it is another page (%v)", err)
	}
	refused, _ := get(t, "GET", "/board", "Accept-Encoding", "gzip; q=0")
	if got := refused.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("refused: got Content-Encoding %q", got)
	}
}

// Every asset that the HTML names is there, and nothing in it runs or styles from within (the policy would
// stop it, and the page with it).
func TestIndexKeepsThePolicy(t *testing.T) {
	_, index := get(t, "GET", "/")
	named := assetPath.FindAllString(index, -1)
	if len(named) < 10 {
		t.Fatalf("the HTML names only %d assets", len(named))
	}
	for _, path := range named {
		if res, _ := get(t, "GET", path); res.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d", path, res.StatusCode)
		}
	}
	for _, bad := range []string{`<style`, ` style="`, `javascript:`, `VERSION`, `http://`, `https://`} {
		if strings.Contains(index, bad) {
			t.Errorf("the HTML contains %q", bad)
		}
	}
	if m := regexp.MustCompile(`\son[a-z]+="`).FindString(index); m != "" {
		t.Errorf("the HTML contains the handler %q", m)
	}
	if m := regexp.MustCompile(`<script[^>]*>[^<]`).FindString(index); m != "" {
		t.Errorf("the HTML contains the inline script %q", m)
	}
}

func TestRoomName(t *testing.T) {
	tests := []struct {
		rule, name string
		want       bool
	}{
		{"letters", "board", true},
		{"digits, as dialled", "0042117", true},
		{"a whole number", "+33123456789", true},
		{"hyphen, underscore, dot", "team_a-1.2", true},
		{"letters of any script", "réunion-会議", true},
		{"a combining mark", "re\u0301union", true},
		{"the longest", strings.Repeat("é", page.MaxRoomName), true},
		{"one too long", strings.Repeat("é", page.MaxRoomName+1), false},
		{"nothing", "", false},
		{"our own paths", "-", false},
		{"a hidden name", ".well-known", false},
		{"an underscore first", "_", false},
		{"a mark first", "\u0301a", false},
		{"a space", "a b", false},
		{"a slash", "a/b", false},
		{"markup", "<b>", false},
		{"a control character", "a\nb", false},
		{"a character that turns text around", "a\u202eb", false},
		{"not UTF-8", "a\xff", false},
		{"what browsers ask for unasked", "favicon.ico", false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := page.RoomName(tt.name); got != tt.want {
				t.Errorf("RoomName(%q): got %v, want %v", tt.name, got, tt.want)
			}
		})
	}
}

// Whatever is a room's name has a page.
func FuzzRoomName(f *testing.F) {
	for _, s := range []string{"board", "+33123456789", "é", "-", "", "a/b", "a\x00", strings.Repeat("x", 65)} {
		f.Add(s)
	}
	h := page.Handler()
	f.Fuzz(func(t *testing.T, name string) {
		if !page.RoomName(name) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = "/" + name
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("room %q: got status %d, want 200", name, w.Code)
		}
	})
}
