package sip

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"passerelle/sip/digest"
)

// guarded is a raw phone that asks who calls, and the calls that a server makes to it.
func guarded(ctx context.Context, t *testing.T, s testServer, keys *digest.Keyring) (*phone, heardMessage, <-chan error) {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	dialled := make(chan error, 1)
	go func() {
		d, _, err := s.Dial(ctx, Dial{To: "sip:phone@" + pc.LocalAddr().String(), Offer: []byte(testSDP), Keys: keys})
		if err == nil {
			err = d.Hangup(ctx, "")
		}
		dialled <- err
	}()
	c := &connected{UDPConn: pc}
	p := &phone{&rawPeer{t: t, network: "udp", conn: c, in: bufio.NewReaderSize(c, 1<<16), tag: "phone"}, pc}
	return p, p.next("INVITE"), dialled
}

// next returns the next request of a method; copies of others are passed over.
func (p *phone) next(method string) heardMessage {
	p.t.Helper()
	for {
		if m := p.hear(); m.code == 0 && m.method() == method {
			return m
		}
	}
}

// proof reads the credentials of a request.
func proof(t *testing.T, m heardMessage, header string) digest.Credentials {
	t.Helper()
	if len(m.headers[headerKey(header)]) != 1 {
		t.Fatalf("%q: got %q in %s, want one", m.start, m.headers[headerKey(header)], header)
	}
	c, err := digest.ParseCredentials(m.header(header))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	askMD5    = `Digest realm="pbx", nonce="one", algorithm=MD5, qop="auth"`
	askSHA256 = `Digest realm="pbx", nonce="two", algorithm=SHA-256, qop="auth,auth-int"`
)

// TestProof has a call of ours challenged by the phone, from the INVITE to the BYE.
func TestProof(t *testing.T) {
	for _, c := range []struct {
		rule, ask, answer string
		code              int
	}{
		{"401 by the peer", "WWW-Authenticate", "Authorization", 401},
		{"407 by a proxy", "Proxy-Authenticate", "Proxy-Authorization", 407},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := serve(t, Config{}, answerAll(nil))
			p, invite, dialled := guarded(t.Context(), t, s, digest.NewKeyring("gateway", "secret"))
			if len(invite.headers["authorization"])+len(invite.headers["proxy-authorization"]) != 0 {
				t.Error("credentials before anybody asked")
			}
			p.answer(invite, 180, "early", "")
			p.answer(invite, c.code, "refused", "", c.ask+": "+askMD5, c.ask+": "+askSHA256)
			if ack := p.next("ACK"); ack.header("CSeq") != "1 ACK" || ack.header("Via") != invite.header("Via") {
				t.Errorf("the ACK to the refusal is %q of %q", ack.header("CSeq"), ack.header("Via"))
			}

			again := p.next("INVITE")
			got := proof(t, again, c.answer)
			if got.Algorithm != digest.SHA256 || got.QOP != "auth" || got.NC != 1 || got.Username != "gateway" || !strings.Contains(again.start, got.URI) {
				t.Errorf("got %+v for %q", got, again.start)
			}
			if again.header("CSeq") != "2 INVITE" || again.header("Call-ID") != invite.header("Call-ID") ||
				again.header("From") != invite.header("From") || again.toTag() != "" || again.header("Via") == invite.header("Via") {
				t.Errorf("the second INVITE is %+v", again.headers)
			}
			p.answer(again, 200, "room", testSDP)
			if ack := p.next("ACK"); ack.header("CSeq") != "2 ACK" || ack.header(c.answer) != again.header(c.answer) {
				t.Errorf("the ACK has %q, %q; want what the INVITE had", ack.header("CSeq"), ack.header(c.answer))
			}

			bye := p.next("BYE")
			if got := proof(t, bye, c.answer); got.NC != 2 || got.Nonce != "two" {
				t.Errorf("BYE: got %+v, want the nonce a second time", got)
			}
			p.reply(bye, c.code, c.ask+": "+strings.Replace(askSHA256, "two", "three", 1))
			bye = p.next("BYE")
			if got := proof(t, bye, c.answer); got.Nonce != "three" || bye.header("CSeq") != "4 BYE" {
				t.Errorf("BYE again: got %+v, %q", got, bye.header("CSeq"))
			}
			p.reply(bye, 200)
			if err := wait(t, dialled); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProofIsRefused(t *testing.T) {
	for _, c := range []struct {
		rule  string
		keys  *digest.Keyring
		tries int
		ask   string
	}{
		{"the password is wrong", digest.NewKeyring("gateway", "secret"), 2, askMD5},
		{"there is none", nil, 1, askMD5},
		{"in a way that we do not know", digest.NewKeyring("gateway", "secret"), 1, `Digest realm="pbx", nonce="one", algorithm=X`},
		{"not by digest", digest.NewKeyring("gateway", "secret"), 1, `Basic realm="pbx"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := serve(t, Config{}, answerAll(nil))
			p, invite, dialled := guarded(t.Context(), t, s, c.keys)
			for try := range c.tries {
				if try > 0 {
					invite = p.next("INVITE")
				}
				p.answer(invite, 401, "refused", "", "WWW-Authenticate: "+c.ask)
				p.next("ACK")
			}
			var status *StatusError
			if err := wait(t, dialled); !errors.As(err, &status) || status.Code != 401 {
				t.Errorf("got %v, want a 401", err)
			}
		})
	}
}

// A call that was given up is not begun anew because somebody asks who gave it up.
func TestGivenUpWhileChallenged(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	ctx, cancel := context.WithCancel(t.Context())
	p, invite, dialled := guarded(ctx, t, s, digest.NewKeyring("gateway", "secret"))
	p.answer(invite, 180, "early", "")
	cancel()
	cancelled := p.next("CANCEL")
	if len(cancelled.headers["authorization"]) != 0 {
		t.Error("a CANCEL has credentials")
	}
	p.reply(cancelled, 200)
	p.answer(invite, 401, "refused", "", "WWW-Authenticate: "+askMD5)
	p.next("ACK")
	if err := wait(t, dialled); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	p.silent(5 * testT1)
}

// The CANCEL of the second INVITE is that one's.
func TestCancelOfTheSecondInvite(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	ctx, cancel := context.WithCancel(t.Context())
	p, invite, dialled := guarded(ctx, t, s, digest.NewKeyring("gateway", "secret"))
	p.answer(invite, 401, "refused", "", "WWW-Authenticate: "+askMD5)
	again := p.next("INVITE")
	p.answer(again, 180, "early", "")
	cancel()
	c := p.next("CANCEL")
	if c.header("Via") != again.header("Via") || c.header("CSeq") != "2 CANCEL" {
		t.Errorf("got %q of %q", c.header("CSeq"), c.header("Via"))
	}
	p.reply(c, 200)
	p.answer(again, 487, "early", "")
	wait(t, dialled)
}
