package sip

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"passerelle/sip/digest"
	"passerelle/sip/registrar"
)

// Who must prove who they are (RFC 3261 section 22.2), and what a phone that has may do: register (section 10). A request
// without a proof is answered 401, without state; one with a proof keeps its transaction, since the same proof is
// not taken twice.

// Flow is how messages reach a phone.
type Flow = registrar.Flow

// identified returns who an INVITE is from, where its source must prove that; false where it is answered: 401. A wrong
// password, and a lock-out, keep nobody from calling for help.
func (s *Server) identified(in inbound) (account string, proved bool) {
	if s.config.Challenged == nil || !s.config.Challenged(in.from.src, in.from.peer) {
		return "", true
	}
	if v := s.config.Vouched; v != nil && v(s.base, newInvite(in.req, in.from.src, in.from.local)) {
		return "", true
	}
	account, challenges, err := s.check(in)
	if (errors.Is(err, digest.ErrWrong) || errors.Is(err, digest.ErrLocked)) && s.config.Help != nil && s.config.Help(in.from.src, userOf(&in.req.Recipient)) {
		return "", true
	}
	return account, s.believes(in, challenges, err)
}

// proved returns whose credentials a request has; false where it is answered: 401, or 403 where nobody can prove anything.
func (s *Server) proved(in inbound) (account string, proved bool) {
	account, challenges, err := s.check(in)
	return account, s.believes(in, challenges, err)
}

// errNobodyCan is why a proof is not looked at.
var errNobodyCan = errors.New("nobody has a password here")

// check looks at the credentials of a request.
func (s *Server) check(in inbound) (account string, challenges []string, err error) {
	if s.config.Digest == nil {
		return "", nil, errNobodyCan
	}
	req := in.req
	account, challenges, err = s.config.Digest.Check(digest.Request{
		Method: string(req.Method), URI: req.Recipient.String(), Body: req.Body(),
		Authorization: headerValues(req, "authorization"), Source: in.from.src.Addr(), AtHome: s.atHome(in),
	})
	if errors.Is(err, digest.ErrWrong) || errors.Is(err, digest.ErrLocked) {
		s.log.Warn("no proof of who it is", "method", req.Method, "source", in.from.src, "error", err)
	}
	return account, challenges, err
}

// believes reports whether a proof was one, and answers a request for which it was not.
func (s *Server) believes(in inbound, challenges []string, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, errNobodyCan):
		s.respond(in, sip.StatusForbidden, in.tag)
		return false
	}
	var asked []sip.Header
	for _, c := range challenges {
		asked = append(asked, sip.NewHeader("WWW-Authenticate", c))
	}
	s.respond(in, sip.StatusUnauthorized, in.tag, asked...)
	return false
}

// atHome tells whether a phone is registered from where a request comes.
func (s *Server) atHome(in inbound) func(user string) bool {
	r := s.config.Registrar
	if r == nil {
		return nil
	}
	return func(user string) bool { return r.At(user, in.from.src.Addr()) }
}

// registers reports whether phones register here.
func (s *Server) registers() bool {
	return s.config.Registrar != nil && (s.config.Registers == nil || s.config.Registers())
}

// register answers a REGISTER. Whoever proves to be somebody can register nobody else.
func (s *Server) register(in inbound) {
	if s.draining() {
		s.respond(in, sip.StatusServiceUnavailable, "", retryAfter(5*time.Second))
		return
	}
	account, proved := s.proved(in)
	if !proved {
		return
	}
	req := in.req
	if account != userOf(&req.To().Address) || s.config.MayRegister != nil && !s.config.MayRegister(account) {
		s.finally(in, sip.StatusForbidden, phrase(sip.StatusForbidden))
		return
	}
	via := req.GetHeaders("via")
	a := s.config.Registrar.Register(registrar.Register{
		Phone: account, CallID: string(*req.CallID()), CSeq: req.CSeq().SeqNo,
		Contacts: headerValues(req, "contact"), Expires: first(headerValues(req, "expires")), Path: headerValues(req, "path"),
		Outbound: hasTag(optionTags(req, "supported"), "outbound"), Direct: len(via) == 1,
		NAT:       behindNAT(req.Via(), in.from.src.Addr()),
		Flow:      Flow{Network: in.from.network, Remote: in.from.src, Local: in.from.local},
		UserAgent: oneLine(first(headerValues(req, "user-agent"))),
	})
	var extra []sip.Header
	for _, c := range a.Contacts {
		extra = append(extra, sip.NewHeader("Contact", c))
	}
	if a.Code == sip.StatusOK {
		for _, p := range a.Path {
			extra = append(extra, sip.NewHeader("Path", p))
		}
		extra = append(extra, sip.NewHeader("Date", time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")),
			sip.NewHeader("Supported", "path, outbound"))
	}
	if a.Outbound {
		extra = append(extra, sip.NewHeader("Require", "outbound"))
	}
	if a.Least > 0 {
		extra = append(extra, sip.NewHeader("Min-Expires", wholeSeconds(a.Least)))
	}
	s.finally(in, a.Code, a.Reason, extra...)
}

// finally answers a request that has been proved, and leaves the transaction to its timer: it answers the request that
// comes again.
func (s *Server) finally(in inbound, code int, reason string, extra ...sip.Header) {
	res := newResponse(in.req, in.from.src, code, reason, "", s.config.UserAgent)
	for _, h := range extra {
		res.AppendHeader(h)
	}
	if err := in.tx.Respond(res); err != nil {
		s.log.Debug("answer not sent", "status", code, "error", err)
		in.tx.Terminate()
	}
}

// first returns the first of some values, "" if there is none.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// keepAlive keeps NATs from forgetting the phones behind them: a double CRLF over UDP, now and then. On connections
// the system does that, and phones do: they are answered by the guard.
func (s *Server) keepAlive(ctx context.Context) {
	defer recovered(s.log, "keep-alive")
	tick := time.NewTicker(s.config.Limits.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, f := range s.config.Registrar.Translated() {
			for _, p := range s.packets {
				if p.local != f.Local {
					continue
				}
				if _, err := p.WriteToUDPAddrPort([]byte(crlfcrlf), f.Remote); err != nil {
					s.log.Debug("keep-alive", "peer", f.Remote, "error", err)
				}
			}
		}
	}
}
