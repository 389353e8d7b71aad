package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/locate"
)

// registers says whether the trunk has us registered. A gateway that runs is asked, and its registration left alone; where none
// does, we register as it would, and take it back; answers says that a server answers OPTIONS.
func (d *Doctor) registers(ctx context.Context, s *sheet, t *config.Trunk, at int, answers bool) {
	setting := d.at("trunks[%d].register", at)
	held := d.held
	if told := d.running.trunk(t.Name); told != nil {
		switch {
		case told.Registered:
			s.ok("the gateway has it: registered at %s until %s", told.Server, told.Until.Local().Format(time.TimeOnly))
		case told.Elsewhere:
			s.ok("another gateway has it: %s", told.Why)
		case told.Why == "":
			s.warn("the gateway is about to register").do("ask again in a few seconds")
		default:
			s.bad("the gateway is not registered: %s", told.Why).do("%s", cure(codeIn(told.Why), setting))
		}
		return
	}
	n := d.network(t.Network)
	if !answers {
		s.warn("not tried to register: no server answers").do("see above")
		return
	}
	if held.gateway.pid != 0 || held.others || len(held.held) > 0 {
		s.warn("not tried to register: the ports that it would be done from are held").
			do("stop the gateway for it; or let it be asked: admin: {listen: 127.0.0.1:8081}")
		return
	}
	err := d.serve(ctx, n, func(server *sip.Server) error { return d.registerOnce(ctx, s, t, setting, server) })
	if err != nil {
		s.bad("not registered: %s", err).do("see above")
	}
}

// registerOnce registers with the first server that answers, and takes it back.
func (d *Doctor) registerOnce(ctx context.Context, s *sheet, t *config.Trunk, setting string, server *sip.Server) error {
	var failed error
	for _, uri := range t.Servers {
		ask := sip.Ask{
			Method: "REGISTER", To: withoutUser(uri), Subject: sip.Address{User: t.Register.User, Host: t.Register.Domain}, Contact: t.Register.User,
			Headers: []sip.Header{{Name: "Expires", Value: strconv.Itoa(int(t.Register.Expires / time.Second))}},
			Keys:    digest.NewKeyring(t.Register.Name, t.Register.Password.Reveal()), CallID: newID(),
		}
		reply, err := d.askWithin(ctx, server, ask)
		if err != nil {
			failed = err
			continue
		}
		s.registered(reply, uri, setting)
		if reply.Code == 200 {
			ask.CSeq, ask.Headers[0].Value = reply.CSeq, "0"
			if back, err := d.askWithin(ctx, server, ask); err != nil || back.Code != 200 {
				s.warn("it was not taken back: %s", orError(err, back)).do("nothing: it ends by itself")
			}
		}
		return nil
	}
	return failed
}

// registered judges the answer to a REGISTER.
func (s *sheet) registered(reply sip.Reply, uri, setting string) {
	switch reply.Code {
	case 200:
		s.ok("%s takes our registration (and we have taken it back)", uri)
		if n := len(reply.Header("Contact")); n > 1 {
			s.ok("it has %d contacts for us: others register with this account too", n)
		}
	case 423:
		s.ok("%s wants to be registered with for %s s at least, which the gateway does", uri, strings.Join(reply.Header("Min-Expires"), ""))
	default:
		s.bad("%s does not register us: %d %s%s", uri, reply.Code, reply.Reason, warningOf(reply)).do("%s", cure(reply.Code, setting))
	}
}

func warningOf(reply sip.Reply) string {
	if w := reply.Header("Warning"); len(w) > 0 {
		return " (" + w[0] + ")"
	}
	return ""
}

// cure is what to do about an answer to REGISTER.
func cure(code int, setting string) string {
	switch code {
	case 401, 407:
		return fmt.Sprintf("user or password is wrong: check password in %[1]s, and login, which many carriers want to be another than user", setting)
	case 403:
		return fmt.Sprintf("it knows us and does not want us: check login, password and domain in %[1]s; the account may be locked, or bound to another address", setting)
	case 404:
		return fmt.Sprintf("there is no such account: check user and domain in %[1]s", setting)
	case 0:
		return "see what the servers answer, above"
	}
	if code >= 500 || code == 408 || code == 480 {
		return "the carrier has trouble: ask there; the gateway goes on trying"
	}
	return fmt.Sprintf("check %s with the carrier's sheet", setting)
}

// codeIn is the status at the beginning of a reason; 0 if there is none.
func codeIn(reason string) int {
	word, _, _ := strings.Cut(reason, " ")
	code, _ := strconv.Atoi(word)
	return code
}

func orError(err error, reply sip.Reply) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", reply.Code, reply.Reason)
}

// withoutUser is the URI of a registrar (RFC 3261 section 10.2).
func withoutUser(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + ":" + rest
}

func (d *Doctor) askWithin(ctx context.Context, server *sip.Server, a sip.Ask) (sip.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*d.Patience)
	defer cancel()
	return server.Ask(ctx, a)
}

// serve runs a SIP server on a network's own ports, and f beside it. Nobody who calls is answered.
func (d *Doctor) serve(ctx context.Context, n *config.Network, f func(*sip.Server) error) error {
	c := sip.Config{
		Advertise: advertised(n), Locate: locate.New(locate.Config{Servers: n.DNS}), UserAgent: d.Agent,
		TLS: sip.TLS{Client: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.Roots}},
	}
	pair := d.certificate(n)
	if pair != nil {
		c.TLS.Server = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}}
		c.TLS.Client.Certificates = c.TLS.Server.Certificates
	}
	for _, l := range n.Listen {
		if l.Transport == "udp" || l.Transport == "tcp" || l.Transport == "tls" && pair != nil {
			for _, a := range families(l.Addr) {
				c.Listen = append(c.Listen, sip.Listener{Network: l.Transport, Addr: a})
			}
		}
	}
	c.Known = nobody
	server, err := sip.Listen(c)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		served <- guard.Root("SIP", func() error {
			return server.Serve(serving, sip.HandlerFunc(func(context.Context, *sip.Dialog) {}))
		})()
	}()
	err = f(server)
	stop()
	return errors.Join(err, <-served)
}
