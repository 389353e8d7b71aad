package doctor

import (
	"bytes"
	"errors"
	"net/textproto"
	"strconv"
	"strings"
)

// response is an answer as it came, before anybody has put it right.
type response struct {
	code    int
	reason  string
	headers map[string][]string // by canonical long name
	body    []byte
}

var errNotSIP = errors.New("what came is not an answer in SIP")

// parseResponse reads an answer. rest is what comes after it; complete is false where more has to come.
func parseResponse(data []byte) (r *response, rest []byte, complete bool, err error) {
	data = bytes.TrimLeft(data, "\r\n")
	if len(data) > 0 && !bytes.HasPrefix(data, []byte("SIP/2.0 ")[:min(len(data), 8)]) {
		return nil, nil, true, errNotSIP
	}
	head, body, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found {
		return nil, nil, false, nil
	}
	lines := strings.Split(string(head), "\r\n")
	status := strings.SplitN(lines[0], " ", 3)
	if len(status) < 2 {
		return nil, nil, true, errNotSIP
	}
	r = &response{headers: map[string][]string{}}
	if r.code, err = strconv.Atoi(status[1]); err != nil || r.code < 100 || r.code > 699 {
		return nil, nil, true, errNotSIP
	}
	if len(status) == 3 {
		r.reason = status[2]
	}
	for _, line := range unfolded(lines[1:]) {
		name, value, ok := strings.Cut(line, ":")
		if name = longName(strings.TrimSpace(name)); ok && name != "" {
			r.headers[name] = append(r.headers[name], strings.TrimSpace(value))
		}
	}
	length, err := strconv.Atoi(r.header("Content-Length"))
	if err != nil || length < 0 { // over UDP it may be missing: to the end
		length = len(body)
	}
	if len(body) < length {
		r.body = body
		return r, nil, false, nil
	}
	r.body = body[:length]
	return r, body[length:], true, nil
}

// unfolded joins the lines of headers that go on on the next.
func unfolded(lines []string) []string {
	var all []string
	for _, line := range lines {
		if len(all) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			all[len(all)-1] += " " + strings.TrimSpace(line)
			continue
		}
		all = append(all, line)
	}
	return all
}

// longName is the name of a header in one way of writing (RFC 3261 section 7.3.3).
func longName(name string) string {
	switch strings.ToLower(name) {
	case "v":
		return "Via"
	case "f":
		return "From"
	case "t":
		return "To"
	case "i":
		return "Call-Id"
	case "m":
		return "Contact"
	case "l":
		return "Content-Length"
	case "c":
		return "Content-Type"
	case "k":
		return "Supported"
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// header returns the first value of a header, "" if there is none.
func (r *response) header(name string) string {
	if all := r.headers[longName(name)]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// list returns a header that is a list, in one.
func (r *response) list(name string) string { return strings.Join(r.headers[longName(name)], ", ") }

// via is the topmost Via.
type via struct {
	transport, host string
	port            int
	params          map[string]string // in lower case
}

// via reads the topmost Via of an answer: ours, as the other side has seen it.
func (r *response) via() (v via, ok bool) {
	value, _, _ := strings.Cut(r.header("Via"), ",")
	fields := strings.Split(value, ";")
	protocol, sentBy, ok := strings.Cut(strings.TrimSpace(fields[0]), " ")
	parts := strings.Split(protocol, "/")
	if !ok || len(parts) != 3 {
		return v, false
	}
	v = via{transport: strings.ToLower(strings.TrimSpace(parts[2])), params: map[string]string{}}
	v.host, v.port = hostPort(strings.TrimSpace(sentBy))
	for _, p := range fields[1:] {
		key, value, _ := strings.Cut(p, "=")
		v.params[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	return v, true
}

// hostPort reads "host", "host:port" and "[2001:db8::1]:port"; a port that is not there is 0.
func hostPort(text string) (host string, port int) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 || strings.HasSuffix(text, "]") || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
		return strings.Trim(text, "[]"), 0
	}
	port, err := strconv.Atoi(strings.TrimSpace(text[at+1:]))
	if err != nil {
		return strings.Trim(text, "[]"), 0
	}
	return strings.Trim(strings.TrimSpace(text[:at]), "[]"), port
}
