package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// assets is everything that the page consists of, ready to be sent.
type assets struct {
	version string // digest of all files; part of their address
	index   *asset
	files   map[string]*asset // by name, without index.html
}

// asset is one file: its bytes, and the same smaller.
type asset struct {
	name, tag, kind, cache string
	plain, packed          []byte
}

// How long a browser may keep what it was sent: the HTML is asked for anew each time (and is mostly
// answered with 304), the rest has its digest in the address and never changes.
const (
	cacheNever = "no-cache"
	cacheEver  = "public, max-age=31536000, immutable"
)

// mediaType returns the media type of a file by its extension; the host's own table is not trusted.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		panic("page: no media type for " + name)
	}
}

// load reads the folder assets of fsys. It panics on what a test of this package would have found: a
// folder that was embedded cannot fail to be read.
func load(fsys fs.FS) *assets {
	names, err := fs.Glob(fsys, "assets/*.*")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	digest := sha256.New()
	raw := make(map[string][]byte, len(names))
	for _, name := range names {
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			panic(err)
		}
		raw[path.Base(name)] = body
		digest.Write([]byte(name))
		digest.Write(body)
	}
	a := &assets{version: hex.EncodeToString(digest.Sum(nil))[:16], files: make(map[string]*asset, len(raw))}
	for name, body := range raw {
		if name == "index.html" {
			a.index = newAsset(name, a.fill(body, raw), cacheNever)
			continue
		}
		a.files[name] = newAsset(name, body, cacheEver)
	}
	return a
}

// fill puts the address of the assets into the HTML, and names every module so that the browser fetches
// them at once instead of import by import.
func (a *assets) fill(html []byte, raw map[string][]byte) []byte {
	var preload strings.Builder
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if strings.HasSuffix(name, ".js") && name != "boot.js" {
			preload.WriteString(`<link rel="modulepreload" href="/-/assets/` + a.version + "/" + name + "\">\n")
		}
	}
	return []byte(strings.NewReplacer("/-/assets/VERSION/", "/-/assets/"+a.version+"/",
		"<!-- modules -->\n", preload.String()).Replace(string(html)))
}

func newAsset(name string, body []byte, cache string) *asset {
	sum := sha256.Sum256(body)
	f := &asset{name: name, tag: hex.EncodeToString(sum[:])[:16], kind: mediaType(name), cache: cache, plain: body}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, _ = z.Write(body) // into memory: cannot fail
	_ = z.Close()
	if packed.Len() < len(body) {
		f.packed = packed.Bytes()
	}
	return f
}

// serve sends the file, or 304 where the browser has it already.
func (f *asset) serve(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	body, tag := f.plain, f.tag
	if f.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body, tag = f.packed, f.tag+"-gz"
		}
	}
	h.Set("Content-Type", f.kind)
	if status != http.StatusOK {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = io.Copy(w, bytes.NewReader(body)) // the browser has gone: nothing to do about it
		}
		return
	}
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding as far as a browser writes it (RFC 9110 section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.ReplaceAll(weight, " ", "") != "q=0"
		}
	}
	return false
}
