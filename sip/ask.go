package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"passerelle/sip/digest"
)

// Ask is a request of ours outside of a dialog: REGISTER, or OPTIONS.
type Ask struct {
	Method  string
	To      string  // where it goes, and its Request-URI: "sip:registrar.example;transport=tcp"
	Subject Address // its From and To (RFC 3261 section 10.2); Host empty: the one of To

	// CallID and CSeq are those of the request before it; those that belong together share a Call-ID (section 10.2.4).
	// Empty: there was none.
	CallID string
	CSeq   uint32

	// Contact is the user part of our Contact; empty: there is no Contact.
	Contact string

	Headers []Header
	Keys    *digest.Keyring // answers challenges; nil: nobody does

	// Flow and Route are the way to a phone that has registered, as those of a Dial.
	Flow  *Flow
	Route []string
}

// Header is one header of a request.
type Header = digest.Header

// Reply is the final answer to it.
type Reply struct {
	Code   int
	Reason string
	Source netip.AddrPort // who was asked
	Local  netip.AddrPort // our address towards it, never unspecified
	// Contact is what our Contact was.
	Contact string
	CSeq    uint32 // of the last request; a challenge takes one more

	headers map[string][]string
}

// Header returns the values of a header in their order, for a name in any case.
func (r Reply) Header(name string) []string { return r.headers[headerKey(name)] }

// maxChallenges is how often one request of ours is made again with credentials: a server may have forgotten its own
// nonce, and a proxy may ask too.
const maxChallenges = 3

// Ask sends a request and returns its final answer; an error is that there is none. It waits for Serve.
func (s *Server) Ask(ctx context.Context, a Ask) (Reply, error) {
	select {
	case <-s.serving:
	case <-ctx.Done():
		return Reply{}, context.Cause(ctx)
	}
	if !s.tasks.enter() {
		return Reply{}, ErrShutdown
	}
	defer s.tasks.leave()
	reply, err := s.ask(ctx, a)
	if err != nil {
		return reply, fmt.Errorf("%s: %w", a.Method, err)
	}
	return reply, nil
}

func (s *Server) ask(ctx context.Context, a Ask) (Reply, error) {
	uri, err := parseURI(a.To)
	if err != nil {
		return Reply{}, err
	}
	routes, err := routesOf(a.Route)
	if err != nil {
		return Reply{}, err
	}
	var reply Reply
	err = s.eachWay(ctx, Dial{To: a.To, Flow: a.Flow, Route: a.Route}, func(from origin, quiet time.Duration) error {
		asking, cancel := context.WithTimeoutCause(ctx, quiet, ErrNoAnswer)
		defer cancel()
		var err error
		reply, err = s.askAt(asking, a, uri, routes, from)
		return err
	})
	return reply, err
}

// askAt sends a request to one target.
func (s *Server) askAt(ctx context.Context, a Ask, uri sip.Uri, routes []sip.Uri, from origin) (Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.base, func() { cancel(ErrShutdown) })()
	release := s.guard.welcome(from.src.Addr())
	defer release()
	p, err := s.pathTo(from)
	if err != nil {
		return Reply{}, err
	}
	p.target, p.routes = uri, routes
	req := s.request(a, p)
	p.route(req)
	p.address(req, from.src)
	reply := Reply{Source: from.src, Local: netip.AddrPortFrom(p.here, from.local.Port())}
	if c := req.Contact(); c != nil {
		reply.Contact = c.Address.String()
	}
	for tries := 0; ; tries++ {
		reply.CSeq = req.CSeq().SeqNo
		res, err := s.exchange(ctx, req)
		if err != nil {
			return reply, err
		}
		if tries < maxChallenges && takeChallenges(a.Keys, res) {
			req = anew(a.Keys, req, reply.CSeq+1)
			continue
		}
		reply.Code, reply.Reason, reply.headers = res.StatusCode, res.Reason, map[string][]string{}
		for _, h := range res.Headers() {
			key := headerKey(h.Name())
			reply.headers[key] = append(reply.headers[key], h.Value())
		}
		return reply, nil
	}
}

// request makes the request, with credentials where the keyring has been asked before.
func (s *Server) request(a Ask, p path) *sip.Request {
	method := sip.RequestMethod(a.Method)
	req := sip.NewRequest(method, *p.target.Clone())
	req.AppendHeader(p.via())
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	subject := sip.Uri{Scheme: p.target.Scheme, User: escapeUser(a.Subject.User), Host: or(a.Subject.Host, p.target.Host)}
	from := &sip.FromHeader{DisplayName: escapeQuotes(a.Subject.Display), Address: subject}
	from.Params.Add("tag", newTag())
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: *subject.Clone()})
	callID := sip.CallIDHeader(or(a.CallID, newTag()+newTag()))
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: a.CSeq + 1, MethodName: method})
	if a.Contact != "" {
		c := p.contact()
		c.Address.User = escapeUser(a.Contact)
		req.AppendHeader(c)
	}
	for _, h := range a.Headers {
		req.AppendHeader(sip.NewHeader(h.Name, oneLine(h.Value)))
	}
	req.AppendHeader(sip.NewHeader("Allow", allow))
	req.AppendHeader(sip.NewHeader("User-Agent", s.config.UserAgent))
	req.SetBody(nil)
	giveProof(a.Keys, req)
	req.SetTransport(strings.ToUpper(p.network))
	return req
}

// NewReply returns an answer, for whoever stands in for a Server. Names of headers are in lower case.
func NewReply(code int, reason string, headers map[string][]string) Reply {
	return Reply{Code: code, Reason: reason, headers: headers}
}
