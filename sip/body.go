package sip

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// errMediaType is a body that holds no SDP: 415.
var errMediaType = errors.New("the body holds no application/sdp")

// maxParts is how many parts of a multipart body are looked at.
const maxParts = 8

// sdpOf returns the SDP in a message: the whole body, or a part of a multipart body (RFC 5621), beside
// which ISUP and locations travel. Nil without a body.
func sdpOf(m received) ([]byte, error) {
	body := m.Body()
	if len(body) == 0 {
		return nil, nil
	}
	if enc := headerValues(m, "content-encoding"); len(enc) > 0 && !strings.EqualFold(enc[0], "identity") {
		return nil, errMediaType
	}
	ct := headerValues(m, "content-type")
	if len(ct) == 0 {
		return bytes.Clone(body), nil // what else could it be
	}
	kind, params, err := mime.ParseMediaType(ct[0])
	switch {
	case err != nil && kind == "":
		return nil, errMediaType
	case kind == "application/sdp":
		return bytes.Clone(body), nil
	case strings.HasPrefix(kind, "multipart/"):
		return sdpPart(body, params["boundary"])
	}
	return nil, errMediaType
}

func sdpPart(body []byte, boundary string) ([]byte, error) {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := r.NextRawPart()
		if err != nil {
			break
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if kind == "application/sdp" {
			return io.ReadAll(part) // bounded by the message
		}
	}
	return nil, errMediaType
}
