//go:build peers

package peers

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"passerelle/rooms/livekit/livekittest"
	"passerelle/sip/digest"
)

// couple is two gateways that know of each other, at addresses that are no trunk's, and the Redis in which they do.
type couple struct {
	dir     string
	redis   *livekittest.Redis
	one     *Gateway
	two     *Gateway
	carrier *Process // where both would register
	at      netip.AddrPort
}

// startCouple starts them; carrier is the address of a Kamailio that calls whoever has registered as 4711.
func startCouple(t *testing.T, dir string, net byte, complains string) *couple {
	t.Helper()
	host := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, net, n}) }
	p := &couple{dir: dir, redis: livekittest.StartRedis(t)}
	port := Ports(t, 1)
	p.at = netip.AddrPortFrom(host(3), port)
	start := func(name string, at netip.Addr) *Gateway {
		return StartGateway(t, Sub(t, dir, name), GatewayConfig{
			Phones: true, MD5: true, Admin: true, Redis: p.redis.Addr, Name: name, At: at, Carriers: []string{"sip:" + p.at.String()},
			Complains: regexp.MustCompile(complains),
		})
	}
	p.one = start("one", host(1))
	p.two = start("two", host(2))
	await(t, "they know each other", func() bool {
		return strings.Count(asked(t, p.one, "/v1/gateways")+asked(t, p.two, "/v1/gateways"), `"alive":true`) == 4
	})
	p.carrier = startCarrier(t, dir, p.at, netip.AddrPortFrom(host(4), port), p.one.SIP, p.one.SIP)
	return p
}

// registered is which of the gateways are registered with the carrier; those that have ended are not.
func (p *couple) registered(t *testing.T) (all []string) {
	t.Helper()
	for _, g := range []*Gateway{p.one, p.two} {
		if g.process.Running() && g.Counters(t).Trunks["carrier"].Registered {
			all = append(all, g.Name)
		}
	}
	return all
}

// holder waits until one is, and returns it and the other one.
func (p *couple) holder(t *testing.T, within time.Duration) (holder, other *Gateway) {
	t.Helper()
	awaitLong(t, "one gateway registers", within, func() bool { return len(p.registered(t)) > 0 })
	all := p.registered(t)
	if len(all) != 1 {
		t.Fatalf("%v are registered, want one", all)
	}
	if all[0] == p.one.Name {
		return p.one, p.two
	}
	return p.two, p.one
}

// calls has the carrier call whoever has registered, and looks who answers.
func (p *couple) calls(t *testing.T, label string, wanted *Gateway) {
	t.Helper()
	man := Says(t, p.dir, Man, 0, 1)
	before := wanted.Counters(t).Gateway.Answered
	RunSipp(t, p.dir, label, Scenario{
		Name: "uac_talk", Target: p.at, Number: "4711", Talk: time.Second, From: netip.MustParseAddr("127.0.0.89"), Files: []string{man.Raw("ulaw")},
	})
	if after := wanted.Counters(t).Gateway.Answered; after != before+1 {
		t.Errorf("%s: gateway %s has answered %d calls of the carrier, want 1", label, wanted.Name, after-before)
	}
}

// TestTwoGateways has a phone that registered with one gateway be called from the other, both be heard, and one of the two
// registered with a carrier, also when that one ends.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	p := startCouple(t, dir, 31, "redis is away")
	man, woman := Says(t, dir, Man, 1, 0), Says(t, dir, Woman, 1, 0)
	ada := StartPhone(t, dir, PhoneConfig{
		Name: "ada", Microphone: woman.WAV(8000), Registers: "2001@" + p.one.SIP.String(), Transport: "udp", AutoAnswer: true,
	})
	awaitBindings(t, p.one, 1)
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.WAV(8000)})
	bob.Dial(t, p.two.URI("2001", "udp"))
	bob.AwaitTalking(t, 5*time.Second)
	time.Sleep(max(man.Length(t), woman.Length(t)) + time.Second)
	bob.Hangup(t)
	bob.Quit(t)
	ada.Quit(t)
	holder, other := p.holder(t, 15*time.Second)
	counted := []uint64{p.one.Counters(t).Gateway.Answered, p.two.Counters(t).Gateway.Answered}
	holder.Stop(t)
	if all := p.registered(t); !slices.Equal(all, []string{other.Name}) {
		t.Errorf("%v are registered when %s has ended, want %s", all, holder.Name, other.Name)
	}
	p.calls(t, "passed on", other)
	whom := Quality{Median: OverOpus().Median, GainDB: 1.5, Gap: time.Second, Clipped: time.Second, Drifts: true} // and not how smoothly
	Listen(t, "bob", bob.Heard(t)).judge(t, woman, whom)
	Listen(t, "ada", ada.Heard(t)).judge(t, man, whom)
	if !slices.Equal(counted, []uint64{1, 1}) {
		t.Errorf("the gateways have answered %d calls, want one each", counted)
	}
	other.Stop(t) // before the carrier
}

// TestProofTwoGateways has a gateway that is registered be killed, the next one sleep for longer than its turn lasts, Redis
// be killed and started again, empty, and wrong passwords at one gateway lock out at the other.
func TestProofTwoGateways(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	p := startCouple(t, dir, 32, "redis is away|no proof of who it is|not registered with the trunk")
	ada := StartPhone(t, dir, PhoneConfig{
		Name: "ada", Microphone: Says(t, dir, Woman, 0, 1).WAV(8000), Registers: "2001@" + p.one.SIP.String(), Transport: "udp", AutoAnswer: true,
	})
	awaitBindings(t, p.one, 1)
	holder, other := p.holder(t, 20*time.Second)
	p.calls(t, "first", holder)

	t.Run("guesses", func(t *testing.T) {
		stranger := netip.MustParseAddr("127.0.0.77")
		for began := time.Now(); time.Since(began) < 2*time.Second; time.Sleep(100 * time.Millisecond) {
			if code := register(t, stranger, p.one.SIP, "2002", "guess"); code != 401 {
				t.Fatalf("a wrong password is answered %d", code)
			}
		}
		if code := register(t, stranger, p.two.SIP, "2002", Password); code != 401 {
			t.Errorf("the right password at the other gateway is answered %d, want 401: guesses were made at the first", code)
		}
		if code := register(t, netip.MustParseAddr("127.0.0.78"), p.two.SIP, "2002", Password); code != 200 {
			t.Errorf("the right password from elsewhere is answered %d, want 200", code)
		}
		await(t, "the lock is over", func() bool { return register(t, stranger, p.two.SIP, "2002", Password) == 200 })
	})

	whole := t // gateways live until its end
	t.Run("killed", func(t *testing.T) {
		holder.Kill(t)
		killed := time.Now()
		await(t, "the other one registers", func() bool { return slices.Equal(p.registered(t), []string{other.Name}) })
		t.Logf("%s registers %v after %s was killed", other.Name, time.Since(killed).Round(time.Millisecond), holder.Name)
		p.calls(t, "taken over", other)
		holder.Again(whole)
		time.Sleep(3 * time.Second)
		if all := p.registered(t); !slices.Equal(all, []string{other.Name}) {
			t.Errorf("%v are registered, want %s", all, other.Name)
		}
		holder, other = other, holder
	})

	t.Run("asleep", func(t *testing.T) {
		signal(t, holder, syscall.SIGSTOP)
		awaitLong(t, "the other one registers", 20*time.Second, func() bool { return other.Counters(t).Trunks["carrier"].Registered })
		p.calls(t, "asleep", other)
		signal(t, holder, syscall.SIGCONT)
		await(t, "who slept knows", func() bool { return slices.Equal(p.registered(t), []string{other.Name}) })
		time.Sleep(12 * time.Second) // a refresh of each
		p.calls(t, "awake", other)
		holder, other = other, holder
	})

	t.Run("redis", func(t *testing.T) {
		p.redis.Kill()
		time.Sleep(15 * time.Second) // longer than a turn, and than the carrier grants
		p.calls(t, "without redis", holder)
		call(t, dir, p.one, "alone") // its own phone
		p.redis.Restart(t)
		await(t, "one gateway registers", func() bool { return len(p.registered(t)) == 1 })
		awaitLong(t, "the phone is found from the other gateway", 10*time.Second, func() bool {
			return strings.Contains(asked(t, p.two, "/v1/phones"), `"gateway":"one"`)
		})
		call(t, dir, p.two, "again")
		time.Sleep(12 * time.Second)
		holder, _ = p.holder(t, time.Second)
		p.calls(t, "with redis again", holder)
	})
	ada.Quit(t)
}

// call has a phone call 2001 at a gateway, and be answered.
func call(t *testing.T, dir string, g *Gateway, name string) {
	t.Helper()
	bob := StartPhone(t, dir, PhoneConfig{Name: name, Microphone: Says(t, dir, Man, 0, 1).WAV(8000)})
	bob.Dial(t, g.URI("2001", "udp"))
	bob.AwaitTalking(t, 5*time.Second)
	bob.Hangup(t)
	bob.Quit(t)
}

// asked is what the admin's desk of a gateway says.
func asked(t *testing.T, g *Gateway, path string) string {
	t.Helper()
	response, err := http.Get("http://" + g.Desk.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func signal(t *testing.T, g *Gateway, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(g.process.PID(), s); err != nil {
		t.Fatal(err)
	}
}

// register registers a phone over UDP and returns the answer to its proof.
func register(t *testing.T, from netip.Addr, to netip.AddrPort, user, password string) int {
	t.Helper()
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	local, id := c.LocalAddr().String(), randomID()
	keys, uri := digest.NewKeyring(user, password), "sip:"+to.String()
	answer := ""
	for seq := 1; seq <= 2; seq++ {
		var proof strings.Builder
		for _, h := range keys.Answer("REGISTER", uri, nil) {
			fmt.Fprintf(&proof, "%s: %s\r\n", h.Name, h.Value)
		}
		fmt.Fprintf(c, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\n"+
			"Call-ID: %s\r\nCSeq: %d REGISTER\r\nContact: <sip:%s@%s>\r\nExpires: 60\r\n%sContent-Length: 0\r\n\r\n",
			uri, local, randomID(), user, to, id, user, to, id, seq, user, local, proof.String())
		packet := make([]byte, 65536)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, err := c.Read(packet)
		if err != nil {
			t.Fatalf("register %s at %s: %v", user, to, err)
		}
		answer = string(packet[:n])
		if m := regexp.MustCompile(`WWW-Authenticate: (.*)\r\n`).FindStringSubmatch(answer); m != nil {
			if c, err := digest.ParseChallenge(m[1]); err == nil {
				keys.Take([]digest.Challenge{c}, false)
			}
		}
	}
	var code int
	fmt.Sscanf(answer, "SIP/2.0 %d", &code)
	return code
}
