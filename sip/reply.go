package sip

import (
	"crypto/rand"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// newTag returns a tag or branch suffix nobody can guess (RFC 3261 section 19.3).
func newTag() string { return strings.ToLower(rand.Text()[:20]) }

// newResponse makes an answer to a request from src (section 8.2.6). tag is the To tag where the request
// has none; empty makes one up.
func newResponse(req *sip.Request, src netip.AddrPort, code int, reason, tag, server string) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, oneLine(reason), nil)
	res.SipVersion = "SIP/2.0" // whatever the request's is
	if tag != "" && code > sip.StatusTrying && tagOf(req.To().Params) == "" {
		res.To().Params.Add("tag", tag)
	}
	if via := res.Via(); via.Host != src.Addr().String() {
		via.Params.Add("received", src.Addr().String()) // section 18.2.1
	}
	res.AppendHeader(sip.NewHeader("Server", server))
	res.SetDestination(replyAddr(req, src).String())
	return res
}

// replyAddr returns where an answer over UDP goes (section 18.2.2, RFC 3581 section 4): to the packet's
// source, and there to the port that the Via names, unless rport asks for the source port, or a NAT sits in
// between: then the Via's address is not the source's.
func replyAddr(req *sip.Request, src netip.AddrPort) netip.AddrPort {
	via := req.Via()
	if via.Params.Has("rport") || behindNAT(via, src.Addr()) {
		return src
	}
	port := via.Port
	if port <= 0 {
		port = sip.DefaultUdpPort
	}
	return netip.AddrPortFrom(src.Addr(), uint16(port))
}

// behindNAT reports whether the sender's own idea of its address is not where its packets come from. A
// name in the Via says nothing.
func behindNAT(via *sip.ViaHeader, src netip.Addr) bool {
	own, err := netip.ParseAddr(via.Host)
	return err == nil && own.Unmap() != src
}

// oneLine makes a text fit for a header: no control characters, so that none can end the line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// quoted returns text as a quoted-string (section 25.1).
func quoted(text string) string { return `"` + escapeQuotes(text) + `"` }

func escapeQuotes(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(text))
}

// warningValue returns a Warning header's value; agent is our host (section 20.43).
func warningValue(w Warning, agent string) string {
	return strconv.Itoa(w.Code) + " " + agent + " " + quoted(w.Text)
}
