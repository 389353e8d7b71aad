package sip

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// The raw view of a message: what can be found in its bytes when the parser refuses them.

// fields yields the header fields of a message in their order, folded lines joined (RFC 3261 section 7.3.1),
// names as they came. It ends at the empty line, or where the bytes end.
func fields(msg []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_, rest, _ := bytes.Cut(msg, []byte(crlf)) // the start-line
		for len(rest) > 0 {
			line, after, _ := bytes.Cut(rest, []byte(crlf))
			if len(line) == 0 {
				return
			}
			for len(after) > 0 && (after[0] == ' ' || after[0] == '\t') {
				var more []byte
				more, after, _ = bytes.Cut(after, []byte(crlf))
				line = slices.Concat(bytes.TrimRight(line, " \t"), []byte(" "), bytes.TrimLeft(more, " \t"))
			}
			rest = after
			name, value, found := bytes.Cut(line, []byte(":"))
			if found && !yield(string(bytes.TrimSpace(name)), string(bytes.TrimSpace(value))) {
				return
			}
		}
	}
}

// requestMethod returns the method of what looks like a request, and "" for anything else.
func requestMethod(msg []byte) string {
	line, _, _ := bytes.Cut(msg, []byte(crlf))
	line = bytes.TrimRight(line, " \t")
	first := bytes.IndexByte(line, ' ')
	last := bytes.LastIndexByte(line, ' ')
	if first <= 0 || first > maxMethod || last == first || !bytes.HasPrefix(bytes.ToUpper(line[last+1:]), []byte("SIP/")) {
		return ""
	}
	return string(line[:first])
}

// strangeScheme reports whether the Request-URI has a scheme that is not one of a telephone's: the parser may not even
// read it (section 8.2.2.1).
func strangeScheme(msg []byte) bool {
	line, _, _ := bytes.Cut(msg, []byte(crlf))
	fields := strings.Split(string(line), " ")
	if len(fields) != 3 {
		return false
	}
	scheme, _, found := strings.Cut(fields[1], ":")
	if !found || scheme == "" || strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return false
	}
	return !slices.Contains(phoneSchemes(), strings.ToLower(scheme))
}

// phoneSchemes are those that a call may go to.
func phoneSchemes() []string { return []string{"sip", "sips", "tel"} }

// maxMethod is the longest method in bytes that is answered at all. RFC 4475 has one of 37.
const maxMethod = 64

// looksLikeSIP reports whether the first line could be one of SIP's, request or response.
func looksLikeSIP(msg []byte) bool {
	return requestMethod(msg) != "" || len(msg) > 4 && strings.EqualFold(string(msg[:4]), "SIP/")
}

// echoed are the headers that an answer repeats (RFC 3261 section 8.2.6.2).
func echoed() []string { return []string{"via", "from", "to", "call-id", "cseq"} }

// rawReply makes a best-effort answer to a request that the parser refuses, with whatever of the headers of
// an answer can be found. It returns nil where no answer is due (ACK, responses) or none could arrive
// (no Via).
func rawReply(msg []byte, code int, reason, server string) []byte {
	method := requestMethod(msg)
	if method == "" || method == "ACK" {
		return nil
	}
	found := map[string][]string{}
	for name, value := range fields(msg) {
		if key := headerKey(name); slices.Contains(echoed(), key) && printable(value) {
			found[key] = append(found[key], value)
		}
	}
	if len(found["via"]) == 0 {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, reason)
	for _, key := range echoed() {
		values := found[key]
		if key != "via" {
			values = values[:min(len(values), 1)]
		}
		for _, v := range values {
			if key == "to" && !strings.Contains(v, "tag=") {
				v += ";tag=" + newTag()
			}
			fmt.Fprintf(&b, "%s: %s\r\n", longName(key), v)
		}
	}
	fmt.Fprintf(&b, "Server: %s\r\nContent-Length: 0\r\n\r\n", server)
	return b.Bytes()
}

func longName(key string) string {
	switch key {
	case "via":
		return "Via"
	case "from":
		return "From"
	case "to":
		return "To"
	case "call-id":
		return "Call-ID"
	}
	return "CSeq"
}

// printable reports whether a header value can be repeated as it is: no control characters.
func printable(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
