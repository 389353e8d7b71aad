package meettest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Wire is an http.RoundTripper without a network: the handlers by host. Virtual time passes on it.
type Wire map[string]http.Handler

// RoundTrip answers one request.
func (w Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	h := w[r.URL.Host]
	if h == nil {
		return nil, fmt.Errorf("nobody is at %s", r.URL.Host)
	}
	answer := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(answer, r)
	}()
	select {
	case <-done:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	resp := answer.Result()
	resp.Request = r
	return resp, nil
}
