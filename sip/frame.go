package sip

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Why a stream can not be cut into messages any further. There is no boundary to go on from.
var (
	errTooLarge  = errors.New("message too large")
	errNoLength  = errors.New("no Content-Length on a stream")
	errBadLength = errors.New("Content-Length makes no sense")
)

const (
	crlf     = "\r\n"
	crlfcrlf = crlf + crlf
)

// splitter cuts a byte stream into SIP messages (RFC 3261 section 18.3). What it finds depends on the bytes
// alone, and not on how they were cut into reads.
type splitter struct {
	max     int // bytes in one message
	buf     []byte
	scanned int // of buf, without the end of a header section in it
}

// token is what next found.
type token uint8

const (
	needMore token = iota
	ping           // a double CRLF, to be answered with one (RFC 5626 section 4.4.1)
	message
)

// write appends what was read.
func (s *splitter) write(p []byte) { s.buf = append(s.buf, p...) }

// within reports whether a message has begun and is not yet whole.
func (s *splitter) within() bool { return len(bytes.TrimLeft(s.buf, "\r\n")) > 0 }

// next takes the next message or keep-alive from the stream. The message is valid until the next write.
// With an error comes what there is of the message, for a best-effort answer.
func (s *splitter) next() (token, []byte, error) {
	for {
		if bytes.HasPrefix(s.buf, []byte(crlfcrlf)) {
			s.drop(4)
			return ping, nil, nil
		}
		if len(s.buf) < 4 && strings.HasPrefix(crlfcrlf, string(s.buf)) {
			return needMore, nil, nil // one CRLF, or the first of two
		}
		if !bytes.HasPrefix(s.buf, []byte(crlf)) {
			break
		}
		s.drop(2) // a CRLF before the start-line is ignored (RFC 3261 section 7.5)
	}
	end := bytes.Index(s.buf[max(0, s.scanned-3):], []byte(crlfcrlf))
	if end < 0 {
		s.scanned = len(s.buf)
		if len(s.buf) > s.max {
			return needMore, s.buf, errTooLarge
		}
		return needMore, nil, nil
	}
	end += max(0, s.scanned-3) + 4
	if end > s.max {
		return needMore, s.buf[:end], errTooLarge
	}
	length, err := contentLength(s.buf[:end])
	if err != nil {
		return needMore, s.buf[:end], err
	}
	if length > s.max-end {
		return needMore, s.buf[:end], errTooLarge
	}
	if len(s.buf) < end+length {
		return needMore, nil, nil
	}
	msg := s.buf[:end+length]
	s.drop(end + length)
	return message, msg, nil
}

// drop takes n bytes from the front. The bytes stay where they are until the next write.
func (s *splitter) drop(n int) {
	s.buf, s.scanned = s.buf[n:], 0
	if len(s.buf) == 0 {
		s.buf = nil // an idle connection keeps no buffer
	}
}

// contentLength returns what a header section says about the length of its body. Two that differ are how
// one message is smuggled inside another.
func contentLength(head []byte) (int, error) {
	length := -1
	for name, value := range fields(head) {
		if headerKey(name) != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || length >= 0 && int(n) != length {
			return 0, errBadLength
		}
		length = int(n)
	}
	if length < 0 {
		return 0, errNoLength
	}
	return length, nil
}
