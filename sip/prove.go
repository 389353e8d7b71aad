package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"passerelle/sip/digest"
)

// How we prove who we are where we are asked (RFC 3261 section 22): 401 by the peer, 407 by a proxy on the way. An ACK
// has the credentials of its INVITE, since nobody can ask for others; a CANCEL needs none (section 22.1).

// The headers of proofs.
const (
	authorization      = "Authorization"
	proxyAuthorization = "Proxy-Authorization"
)

// challenged takes the challenges of an answer, and reports whether the request is worth another try.
func (d *Dialog) challenged(res *sip.Response) bool { return takeChallenges(d.keys, res) }

func takeChallenges(keys *digest.Keyring, res *sip.Response) bool {
	name, proxy := "www-authenticate", false
	switch {
	case keys == nil:
		return false
	case res.StatusCode == sip.StatusProxyAuthRequired:
		name, proxy = "proxy-authenticate", true
	case res.StatusCode != sip.StatusUnauthorized:
		return false
	}
	var challenges []digest.Challenge
	for _, value := range headerValues(res, name) {
		if c, err := digest.ParseChallenge(value); err == nil { // of several one is enough
			challenges = append(challenges, c)
		}
	}
	return keys.Take(challenges, proxy)
}

// prove puts our credentials onto a request that is otherwise complete.
func (d *Dialog) prove(req *sip.Request) { giveProof(d.keys, req) }

func giveProof(keys *digest.Keyring, req *sip.Request) {
	if keys == nil {
		return
	}
	for _, h := range keys.Answer(string(req.Method), req.Recipient.String(), req.Body()) {
		req.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
}

// again returns a request that was challenged with credentials, and another number.
func (d *Dialog) again(req *sip.Request, seq uint32) *sip.Request {
	return anew(d.keys, req, seq)
}

// anew makes the same request anew, as a transaction of its own (section 8.1.3.5).
func anew(keys *digest.Keyring, req *sip.Request, seq uint32) *sip.Request {
	next := req.Clone()
	for _, name := range []string{authorization, proxyAuthorization} {
		for next.RemoveHeader(name) {
		}
	}
	next.CSeq().SeqNo = seq
	next.Via().Params.Add("branch", sip.RFC3261BranchMagicCookie+newTag())
	giveProof(keys, next)
	return next
}

// copyProof gives an ACK the credentials of its INVITE.
func copyProof(invite, ack *sip.Request) {
	for _, h := range invite.Headers() {
		if name := h.Name(); strings.EqualFold(name, authorization) || strings.EqualFold(name, proxyAuthorization) {
			ack.AppendHeader(sip.HeaderClone(h))
		}
	}
}
