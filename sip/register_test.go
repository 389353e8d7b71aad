package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"passerelle/sip/digest"
	"passerelle/sip/registrar"
)

// switchboard is a Server with two phones, 2001 and 2002, who both have the password "secret".
func switchboard(t *testing.T, h HandlerFunc) (testServer, *registrar.Registrar) {
	t.Helper()
	r := registrar.New(registrar.Config{})
	realm := &digest.Realm{Name: "house", Accounts: map[string]digest.Account{}}
	for _, user := range []string{"2001", "2002", "trunk"} {
		realm.Accounts[user] = digest.NewAccount(user, "house", "secret")
	}
	verifier := digest.NewVerifier(func() *digest.Realm { return realm })
	s := serve(t, Config{
		Digest: verifier, Registrar: r,
		Challenged:  func(_ netip.AddrPort, peer string) bool { return peer == "" },
		Help:        func(_ netip.AddrPort, user string) bool { return user == "112" },
		MayRegister: func(account string) bool { return account != "trunk" },
		Limits:      Limits{KeepAlive: 20 * time.Millisecond},
	}, h)
	return s, r
}

// register sends a REGISTER of a user, which is challenged, and again with an answer of the keyring.
func (p *rawPeer) register(user string, cseq int, keys *digest.Keyring, more ...string) heardMessage {
	p.t.Helper()
	send := func(cseq int, proof ...string) {
		lines := []string{
			fmt.Sprintf("REGISTER sip:%s SIP/2.0", p.target),
			fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bKreg%d;rport", strings.ToUpper(p.network), p.host(), cseq),
			"Max-Forwards: 70",
			fmt.Sprintf("From: <sip:%s@%s>;tag=%s", user, p.target, p.tag), fmt.Sprintf("To: <sip:%s@%s>", user, p.target),
			"Call-ID: " + p.callID, fmt.Sprintf("CSeq: %d REGISTER", cseq),
		}
		p.send(wireMessage("", append(append(lines, more...), proof...)...))
	}
	send(cseq)
	asked := p.expect(401)
	keys.Take(challengesIn(p.t, asked), false)
	send(cseq+1, "Authorization: "+keys.Answer("REGISTER", "sip:"+p.target, nil)[0].Value)
	return p.hear()
}

func challengesIn(t *testing.T, m heardMessage) []digest.Challenge {
	t.Helper()
	var all []digest.Challenge
	for _, v := range m.headers["www-authenticate"] {
		c, err := digest.ParseChallenge(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func (p *rawPeer) contact() string {
	return fmt.Sprintf("Contact: <sip:2001@%s;transport=%s>", p.host(), p.network)
}

// TestPhoneRegistersAndIsCalled takes a phone from its REGISTER to a call that reaches it on its own flow.
func TestPhoneRegistersAndIsCalled(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		s, r := switchboard(t, answerAll(nil))
		p := s.peer(network, "")
		ok := p.register("2001", 1, digest.NewKeyring("2001", "secret"),
			`Contact: <sip:2001@10.1.2.3:5999;transport=`+network+`>;expires=600`, "User-Agent: Desk")
		if ok.code != 200 || !strings.Contains(ok.header("Contact"), "expires=600") || ok.header("Date") == "" {
			t.Fatalf("got %q, %v", ok.start, ok.headers)
		}
		all := r.Bindings("2001")
		if len(all) != 1 || all[0].Agent != "Desk" || all[0].Flow.Network != network || all[0].Flow.Remote.String() != p.host() {
			t.Fatalf("got %+v", all)
		}

		// Its own address is one that nobody reaches: the flow is the way.
		ended := make(chan error, 1)
		go func() {
			d, _, err := s.Dial(t.Context(), Dial{To: all[0].Contact, Flow: &all[0].Flow, Offer: []byte(testSDP)})
			if err == nil {
				err = d.Hangup(t.Context(), "")
			}
			ended <- err
		}()
		invite := p.expectRequest("INVITE")
		if !strings.HasPrefix(invite.start, "INVITE sip:2001@10.1.2.3:5999") {
			t.Errorf("got %q", invite.start)
		}
		invite.headers["to"] = []string{invite.header("To") + ";tag=desk"}
		p.reply(invite, 200, "Contact: <sip:2001@10.1.2.3:5999;transport="+network+">")
		p.expectRequest("ACK")
		p.reply(p.expectRequest("BYE"), 200)
		if err := wait(t, ended); err != nil {
			t.Error(err)
		}
	})
}

func TestCallOfAPhoneIsProved(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		accounts := make(chan string, 1)
		s, _ := switchboard(t, func(ctx context.Context, d *Dialog) {
			accounts <- d.Invite().Account
			d.Reject(ctx, Refusal{Code: 486})
		})
		p := s.peer(network, "")
		p.send(p.request("INVITE", "one", 1, "", testSDP))
		asked := p.expect(401)
		p.send(p.request("ACK", "one", 1, asked.toTag(), ""))
		for i, c := range []struct {
			rule, user, password string
			code                 int
		}{
			{"nobody's password", "2001", "guess", 401},
			{"nobody", "2009", "secret", 401},
			{"the phone's", "2001", "secret", 486},
		} {
			keys := digest.NewKeyring(c.user, c.password)
			keys.Take(challengesIn(t, asked), false)
			proof := "Authorization: " + keys.Answer("INVITE", "sip:room@"+p.target, nil)[0].Value
			branch := fmt.Sprint("again", i)
			p.send(p.request("INVITE", branch, 2+i, "", testSDP, proof))
			asked = p.expect(c.code)
			p.send(p.request("ACK", branch, 2+i, asked.toTag(), ""))
		}
		if got := wait(t, accounts); got != "2001" {
			t.Errorf("got account %q", got)
		}
	})
}

// TestACallForHelpNeedsNoProof: it is asked for, to know who calls; a wrong one, and too many of them, keep nobody from it.
func TestACallForHelpNeedsNoProof(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		accounts := make(chan string, 1)
		s, _ := switchboard(t, func(ctx context.Context, d *Dialog) {
			accounts <- d.Invite().Account
			d.Reject(ctx, Refusal{Code: 486})
		})
		p := s.peer(network, "")
		cseq := 0
		invite := func(to string, code int, proof ...string) heardMessage {
			cseq++
			branch := fmt.Sprint("invite", cseq)
			p.send(strings.Replace(p.request("INVITE", branch, cseq, "", testSDP, proof...), "INVITE sip:room@", "INVITE sip:"+to+"@", 1))
			answer := p.expect(code)
			p.send(p.request("ACK", branch, cseq, answer.toTag(), ""))
			return answer
		}
		try := func(to, password string, code int) {
			t.Helper()
			keys := digest.NewKeyring("2001", password)
			keys.Take(challengesIn(t, invite(to, 401)), false)
			invite(to, code, "Authorization: "+keys.Answer("INVITE", "sip:"+to+"@"+p.target, nil)[0].Value)
		}
		for _, c := range []struct {
			password, account string
		}{{"secret", "2001"}, {"guess", ""}} {
			try("112", c.password, 486)
			if got := wait(t, accounts); got != c.account {
				t.Errorf("with password %q it is %q who calls for help, want %q", c.password, got, c.account)
			}
		}
		for range 8 {
			try("room", "guess", 401)
		}
		try("room", "secret", 401) // it is locked out
		try("112", "secret", 486)
		if got := wait(t, accounts); got != "" {
			t.Errorf("locked out, it is %q who calls for help", got)
		}
	})
}

func TestRegisterRefused(t *testing.T) {
	s, r := switchboard(t, answerAll(nil))
	for i, c := range []struct {
		rule, user, account string
		more                []string
		code                int
		header              string
	}{
		{"for somebody else", "2002", "2001", []string{"Contact: <sip:2002@192.0.2.1>"}, 403, ""},
		{"a trunk's account", "trunk", "trunk", []string{"Contact: <sip:trunk@192.0.2.1>"}, 403, ""},
		{"too brief", "2001", "2001", []string{"Contact: <sip:2001@192.0.2.1>;expires=10"}, 423, "Min-Expires"},
		{"a proxy that keeps no flow", "2001", "2001", []string{
			"Supported: path, outbound", "Path: <sip:proxy.example;lr>", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx",
			`Contact: <sip:2001@192.0.2.1>;+sip.instance="<urn:uuid:1>";reg-id=1`}, 439, ""},
		{"not a list", "2001", "2001", []string{"Contact: <sip:2001@192.0.2.1>", "Path: <tel:+33>"}, 400, ""},
	} {
		p := s.peer("udp", "")
		got := p.register(c.user, 1+10*i, digest.NewKeyring(c.account, "secret"), c.more...)
		if got.code != c.code || c.header != "" && got.header(c.header) == "" {
			t.Errorf("%s: got %q, want %d", c.rule, got.start, c.code)
		}
	}
	if n := r.Stats().Bindings; n != 0 {
		t.Errorf("%d bindings", n)
	}
	p := s.peer("udp", "")
	p.send(p.request("REGISTER", "ext", 1, "", "", "Require: gruu"))
	if got := p.expect(420); got.header("Unsupported") != "gruu" {
		t.Errorf("got %q", got.header("Unsupported"))
	}
}

// An outbound phone says how it wants to be reached, and is told so (RFC 5626 section 6); Path comes back.
func TestOutboundRegistration(t *testing.T) {
	streamed(t, func(t *testing.T, network string) {
		s, r := switchboard(t, answerAll(nil))
		p := s.peer(network, "")
		ok := p.register("2001", 1, digest.NewKeyring("2001", "secret"), "Supported: path, outbound",
			p.contact()+`;+sip.instance="<urn:uuid:1>";reg-id=1`)
		if ok.code != 200 || ok.header("Require") != "outbound" || !strings.Contains(ok.header("Contact"), `+sip.instance="<urn:uuid:1>"`) {
			t.Errorf("got %q, %v", ok.start, ok.headers)
		}
		p.send(crlfcrlf)
		pong := make([]byte, 2)
		if _, err := p.in.Read(pong); err != nil || string(pong) != crlf {
			t.Errorf("got %q, %v for a ping", pong, err)
		}
		p.conn.Close()
		for deadline := time.Now().Add(patience); r.Stats().Bindings > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the phone is there, and its connection is not")
			}
		}
	})
}

// A request that comes again, since the answer was lost, is no replay.
func TestRegisterComesAgain(t *testing.T) {
	s, _ := switchboard(t, answerAll(nil))
	p := s.peer("udp", "")
	keys := digest.NewKeyring("2001", "secret")
	p.send(p.request("REGISTER", "one", 1, "", ""))
	keys.Take(challengesIn(t, p.expect(401)), false)
	lines := strings.Replace(p.request("REGISTER", "two", 2, "", "", "Authorization: "+keys.Answer("REGISTER", "sip:room@"+p.target, nil)[0].Value),
		"To: <sip:room@", "To: <sip:2001@", 1)
	p.send(lines)
	p.expect(200)
	p.send(lines)
	p.expect(200)
}

func TestKeepAlive(t *testing.T) {
	s, _ := switchboard(t, answerAll(nil))
	p := s.peer("udp", "")
	lines := []string{p.contact()}
	p.register("2001", 1, digest.NewKeyring("2001", "secret"), lines...)
	p.silent(60 * time.Millisecond) // no NAT is between us

	nat := s.peer("udp", "127.0.0.9")
	host := nat.host()
	keys := digest.NewKeyring("2002", "secret")
	send := func(cseq int, proof string) {
		nat.send(wireMessage("", fmt.Sprintf("REGISTER sip:%s SIP/2.0", nat.target),
			fmt.Sprintf("Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKnat%d;rport", cseq), "Max-Forwards: 70",
			"From: <sip:2002@x>;tag=1", "To: <sip:2002@x>", "Call-ID: nat", fmt.Sprintf("CSeq: %d REGISTER", cseq),
			"Contact: <sip:2002@10.0.0.7:5060>", proof))
	}
	send(1, "X: y")
	keys.Take(challengesIn(t, nat.expect(401)), false)
	send(2, "Authorization: "+keys.Answer("REGISTER", "sip:"+nat.target, nil)[0].Value)
	nat.expect(200)
	nat.conn.SetReadDeadline(time.Now().Add(patience))
	ping := make([]byte, 4)
	if n, err := nat.in.Read(ping); err != nil || string(ping[:n]) != crlfcrlf {
		t.Errorf("%s: got %q, %v, want a double CRLF", host, ping, err)
	}
}

func TestAsk(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "tls"} {
		carrier, r := switchboard(t, answerAll(nil))
		s := serve(t, Config{}, answerAll(nil))
		keys := digest.NewKeyring("2001", "secret")
		ask := Ask{
			Method: "REGISTER", To: fmt.Sprintf("sip:%s;transport=%s", carrier.addr(network), network),
			Subject: Address{User: "2001"}, Contact: "2001", Headers: []Header{{Name: "Expires", Value: "300"}}, Keys: keys,
		}
		var got Reply
		for i, cseq := range []uint32{2, 3} { // the second is proved before anybody asks
			var err error
			if got, err = s.Ask(t.Context(), ask); err != nil || got.Code != 200 || got.CSeq != cseq {
				t.Fatalf("%d: got %+v, %v", i, got, err)
			}
			ask.CSeq, ask.CallID = got.CSeq, ""
			ask.CallID = r.Bindings("2001")[0].CallID
		}
		all := r.Bindings("2001")
		if len(all) != 1 || !strings.HasPrefix(got.Contact, "sip:2001@"+got.Local.Addr().String()) || all[0].Contact != got.Contact {
			t.Errorf("got %+v for %q", all, got.Contact)
		}
		if !strings.Contains(strings.Join(got.Header("contact"), ","), "expires=300") {
			t.Errorf("got %q", got.Header("Contact"))
		}
		wrong := ask
		wrong.Keys = digest.NewKeyring("2001", "guess")
		if got, err := s.Ask(t.Context(), wrong); err != nil || got.Code != 401 {
			t.Errorf("wrong password: got %+v, %v", got, err)
		}
		options := Ask{Method: "OPTIONS", To: ask.To}
		if got, err := s.Ask(t.Context(), options); err != nil || got.Code != 200 {
			t.Errorf("OPTIONS: got %+v, %v", got, err)
		}
	}
}

func TestAskIsGivenUp(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Ask(ctx, Ask{Method: "OPTIONS", To: "sip:127.0.0.1:9"}); err == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
}

// TestAskOnAFlow asks a phone that has registered, on the way that it came.
func TestAskOnAFlow(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		s, r := switchboard(t, answerAll(nil))
		p := s.peer(network, "")
		p.register("2001", 1, digest.NewKeyring("2001", "secret"), "Contact: <sip:2001@192.0.2.66:5060>")
		replies := make(chan Reply, 1)
		go func() {
			b := r.Bindings("2001")[0]
			got, err := s.Ask(context.Background(), Ask{Method: "OPTIONS", To: b.Contact, Flow: &b.Flow, Route: []string{"sip:edge.example;lr"}})
			if err != nil {
				t.Error(err)
			}
			replies <- got
		}()
		asked := p.expectRequest("OPTIONS")
		if asked.start != "OPTIONS sip:2001@192.0.2.66:5060 SIP/2.0" || asked.header("Route") != "<sip:edge.example;lr>" {
			t.Errorf("got %q, Route %q", asked.start, asked.header("Route"))
		}
		p.reply(asked, 200)
		if got := wait(t, replies); got.Code != 200 {
			t.Errorf("got %+v", got)
		}
	})
}
