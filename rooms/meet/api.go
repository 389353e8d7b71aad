package meet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How many bytes are read of an answer: of the list of rules (about 200 bytes each), and of Meet.
const (
	maxRules = 16 << 20
	maxReply = 64 << 10
)

// plain returns a client that follows no redirect: none may carry a token or a PIN somewhere else.
func plain(client *http.Client) *http.Client {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.IdleConnTimeout = 30 * time.Second
		transport.MaxIdleConnsPerHost = 16 // many wait in the lobby at once
		transport.MaxConnsPerHost = 64
		transport.ResponseHeaderTimeout = callTimeout
		client = &http.Client{Transport: transport}
	}
	own := *client
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// httpURL returns where the API is of which u is the signalling. A path is a prefix of LiveKit's own.
func httpURL(u *url.URL) *url.URL {
	own := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
	switch u.Scheme {
	case "ws":
		own.Scheme = "http"
	case "wss":
		own.Scheme = "https"
	}
	return &own
}

// bounded is a client whose answers end with an error after so many bytes.
type bounded struct {
	client *http.Client
	limit  int64
}

// Do sends a request, as http.Client's does.
func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, b.limit)
	return resp, nil
}

// api is Meet's, below the address of its pages.
type api struct {
	base   *url.URL
	client bounded
}

// reply is what Meet answered.
type reply struct {
	status     int
	json       bool   // whether the body says that it is JSON: what stands in front of Meet speaks HTML
	body       []byte // at most maxReply
	cookies    []*http.Cookie
	location   string        // of a redirect
	retryAfter time.Duration // 0: nothing is said
}

// post sends in as JSON to a path of the API, the cookies and the bearer token with it if there are any.
func (a *api) post(ctx context.Context, in any, bearer string, cookies []*http.Cookie, path ...string) (*reply, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write a request to Meet: %w", err)
	}
	where := a.base.JoinPath(append([]string{"api", "v1.0"}, path...)...).String() + "/" // Django wants the slash
	req, err := http.NewRequestWithContext(limited, http.MethodPost, where, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("write a request to Meet: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read Meet's answer: %w", err)
	}
	return &reply{
		status: resp.StatusCode, json: isJSON(resp.Header), body: data, cookies: resp.Cookies(),
		location: location(resp), retryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}, nil
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// location returns where a redirect leads, bounded and without what it may hold in secret.
func location(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return ""
	}
	short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	text := short.String()
	return text[:min(len(text), 200)]
}

// maxRetryAfter bounds how long a server can make a caller wait before it is asked again.
const maxRetryAfter = time.Hour

// retryAfter reads the header of that name, seconds or a date (RFC 9110 section 10.2.3); 0 is neither.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
