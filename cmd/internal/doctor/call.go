package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"passerelle/bridge"
	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/cmd/internal/testphone"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/rtp"
)

// Call is a test call: a call from this machine, as the trunk knows it, with the trunk's account, to a number. It is not the
// gateway that calls.
type Call struct {
	Number string
	Rings  time.Duration // how long it may ring
	Talks  time.Duration // how long we listen, and are heard
}

// call places it, to the first server that takes it.
func (d *Doctor) call(ctx context.Context, s *sheet, t *config.Trunk, at int) {
	if len(t.Servers) == 0 {
		s.bad("the trunk has no servers: it calls us, and nobody calls it").do("add servers to it, in %s", d.at("trunks[%d]", at))
		return
	}
	to, dialled, denied := bridge.MayCall(&d.Of.Live, t, d.Call.Number)
	switch {
	case to.Number.Kind == numbers.Emergency:
		s.bad("%s is an emergency number: it is not called", d.Call.Number).do("test with another number")
		return
	case denied != nil && (d.Of.Live.Outgoing != nil || !harmless(to.Kind)):
		s.bad("%s is not called: %s", d.Call.Number, denied).do("test with a number that may be called out, or let it be: docs/calling-out.md")
		return
	}
	kinds := slices.DeleteFunc(bridge.KindsOf(t.Codecs), func(k codec.Kind) bool { return k != codec.PCMA && k != codec.PCMU })
	if len(kinds) == 0 {
		s.warn("%s has neither PCMA nor PCMU, and the test phone speaks nothing else: it offers both", d.at("trunks[%d].codecs", at)).do("nothing; a refusal may be for that reason")
	}
	n := d.network(t.Network)
	c := testphone.Config{
		To: withUser(t.Servers[0], dialled), Codecs: kinds, For: d.Call.Talks, Play: beep(), SRTP: t.SRTP.Policy == config.SRTPRequired,
		DNS: n.DNS, Advertise: advertised(n),
		Ports: func(local netip.Addr) (*rtp.Ports, error) { return mediaPorts(n.Media, local) },
	}
	c.From = t.Numbers.Present
	if r := t.Register; r != nil {
		c.From, c.FromHost, c.Keys = or(t.Numbers.Present, r.User), or(r.Domain, hostOf(t.Servers[0])), digest.NewKeyring(r.Name, r.Password.Reveal())
	}
	loudest := math.Inf(-1)
	c.Heard = func(pcm []int16) error { loudest = max(loudest, levelOf(pcm)); return nil }
	ringing := false
	c.Watch = func(r testphone.Report) { ringing = ringing || r.State == "ringing" }
	calling, cancel := context.WithTimeout(ctx, d.Call.Rings+d.Call.Talks)
	defer cancel()
	report, err := testphone.Call(calling, c)
	s.called(report, err, ringing, loudest, d.at("trunks[%d]", at))
}

// mediaPorts are the network's: a firewall may let sound through to them only.
func mediaPorts(m config.Media, local netip.Addr) (*rtp.Ports, error) {
	addr := m.Addr
	if addr.IsUnspecified() || addr.Is4() != local.Is4() {
		addr = local
	}
	return rtp.NewPorts(addr, m.First, m.Last)
}

// harmless reports whether a call to such a number costs no more than calls do: where nothing is said of calls out, whoever
// sits at the shell may place a test call.
func harmless(k outgoing.Kind) bool {
	switch k {
	case outgoing.Fixed, outgoing.Mobile, outgoing.VoIP, outgoing.TollFree, outgoing.Extension, outgoing.Unknown:
		return true
	}
	return false
}

// called judges how it went.
func (s *sheet) called(r testphone.Report, err error, ringing bool, loudest float64, trunk string) {
	var refused *sip.StatusError
	switch {
	case r.Answered():
	case errors.As(err, &refused):
		s.bad("%s is refused: %s", r.To, refused).do("%s", cureOfCall(refused.Code, trunk))
		return
	case ringing:
		s.warn("%s rings, and nobody answers", r.To).do("answer it: whether sound goes both ways is heard only then")
		return
	default:
		s.bad("%s is not answered: %v", r.To, orEnd(err, r.End)).do("see what its server says to OPTIONS, above")
		return
	}
	s.ok("%s has answered in %s, and speaks %s", r.To, tidy(r.Setup), r.Codec+encryptedBy(r.SRTP))
	switch {
	case r.Received == 0:
		s.bad("nothing is heard: no packet has come in %s", tidy(r.Up)).
			do("open the ports of networks[].media (UDP) in the firewalls; behind a NAT set networks[].advertise, which is where they are sent to")
	case loudest < -60:
		s.warn("%d packets have come, %d were lost, and there is nothing but silence in them", r.Received, r.Lost).do("say something there; if you did, look at the microphone, or at the carrier's gateway")
	default:
		s.ok("heard: %d packets, %d lost, jitter %s, up to %.0f dB", r.Received, r.Lost, tidy(r.Jitter), loudest)
	}
	switch {
	case r.RoundTrip > 0 && r.LostByPeer > 0.05:
		s.warn("what we say is lost on the way: %.0f %% of it (RTCP)", 100*r.LostByPeer).do("look for a network that is too full, or a firewall that counts packets")
	case r.RoundTrip > 0:
		s.ok("they hear us: %.1f %% lost, round trip %s (RTCP)", 100*r.LostByPeer, tidy(r.RoundTrip))
	default:
		s.ok("whether they hear us (beeps) only they can say: no RTCP has come from there; %d packets were sent", r.Sent)
	}
	if err != nil {
		s.warn("the call ended with: %s", err).do("nothing, if it was long enough")
	}
}

func encryptedBy(suite string) string {
	if suite == "" {
		return ""
	}
	return ", encrypted with " + suite
}

func orEnd(err error, end string) string {
	if err != nil {
		return err.Error()
	}
	return end
}

// cureOfCall is what to do about a refusal.
func cureOfCall(code int, trunk string) string {
	switch code {
	case 401, 407:
		return fmt.Sprintf("it asks who we are: check login and password of register in %s, or add register", trunk)
	case 403:
		return "it does not allow this number, or this caller: check with the carrier what may be called, and as whom"
	case 404, 484, 604:
		return "it does not know the number: check how the trunk wants numbers written (+33..., 0033..., 0...)"
	case 488, 606:
		return fmt.Sprintf("no codec, or no encryption, in common: see what it speaks, and change codecs or srtp of %s", trunk)
	case 480, 486, 600, 603:
		return "somebody is there, and busy or not willing: try again"
	case 483:
		return "the call goes in circles: the trunk sends it back; check its routes"
	}
	return "ask whoever runs the trunk"
}

// withUser is a server's URI with a user.
func withUser(uri, user string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + ":" + user + "@" + rest
}

// beep is what we say: a tone of half a second every second, 440 Hz at about -16 dBov.
func beep() []int16 {
	pcm := make([]int16, 60*g711.Rate)
	for i := range pcm {
		if i/(g711.Rate/2)%2 == 0 {
			pcm[i] = int16(7000 * math.Sin(2*math.Pi*440*float64(i)/g711.Rate))
		}
	}
	return pcm
}

// levelOf is how loud sound is, in dBov.
func levelOf(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return math.Inf(-1)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(32768*32768))
}
