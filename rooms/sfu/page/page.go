// Package page holds the web page from which people join a room, and serves it: plain HTML, CSS and
// JavaScript modules, as they lie in assets. It does not know who is in a room; the page learns that from
// the WebSocket at SocketPath, which is not served here.
package page

import (
	"embed"
	"net/http"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SocketPath is where the page opens its WebSocket, as SocketPath?room=NAME.
const SocketPath = "/-/ws"

// MaxRoomName is the longest name of a room, in characters.
const MaxRoomName = 64

//go:embed assets
var files embed.FS

// policy is the Content-Security-Policy of every answer: nothing but our own files, no inline script or
// style, no frame around the page, and no string that becomes a script (Trusted Types).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// permissions is the Permissions-Policy: the microphone and the loudspeaker are ours, all else is off.
const permissions = "microphone=(self), autoplay=(self), screen-wake-lock=(self), " +
	"camera=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=(), payment=()"

// Handler serves the page:
//
//	GET /                            the start page, where a room's name is typed
//	GET /{room}                      the room; the same HTML
//	GET /-/assets/{version}/{file}   style, script, pictures; cached for ever, since version is their digest
//
// A path that cannot be a room's name gets the start page with status 404.
func Handler() http.Handler {
	a := load(files)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		a.index.serve(w, r, http.StatusOK)
	})
	mux.HandleFunc("GET /{room}", func(w http.ResponseWriter, r *http.Request) {
		if !RoomName(r.PathValue("room")) {
			a.index.serve(w, r, http.StatusNotFound)
			return
		}
		a.index.serve(w, r, http.StatusOK)
	})
	mux.HandleFunc("GET /{path...}", func(w http.ResponseWriter, r *http.Request) {
		a.index.serve(w, r, http.StatusNotFound)
	})
	mux.HandleFunc("GET /-/{path...}", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	mux.HandleFunc("GET /-/assets/"+a.version+"/{file}", func(w http.ResponseWriter, r *http.Request) {
		f, ok := a.files[r.PathValue("file")]
		if !ok {
			notFound(w)
			return
		}
		f.serve(w, r, http.StatusOK)
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		a.files["icon.svg"].serve(w, r, http.StatusOK)
	})
	mux.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("User-agent: *\nDisallow: /\n"))
	})
	return guard(mux)
}

// RoomName says whether name can be a room's name: at most MaxRoomName letters, digits and - _ . +, of
// which the first is a letter, a digit or +. It is not asked of rooms that a configuration names.
func RoomName(name string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxRoomName || name == "favicon.ico" || name == "robots.txt" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(name)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) && first != '+' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.+", r)
	})
}

// guard sets the headers that every answer carries, refusals included.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Permissions-Policy", permissions)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if clean := path.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
			notFound(w) // no redirects to paths that only look like ours
			return
		}
		next.ServeHTTP(w, r)
	})
}

func notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not found", http.StatusNotFound)
}
