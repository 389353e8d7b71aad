package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"passerelle/sip/locate"
)

// clockOff is how far a clock may be from another's.
const clockOff = time.Minute

// reached judges what became of an OPTIONS; true where there is an answer that more can be read from.
func (s *sheet) reached(t locate.Target, o outcome, trunk, us string) bool {
	at := t.String()
	switch {
	case o.stage == "handshake":
		s.handshake(at, o, trunk)
	case o.err != nil && o.stage == "connect":
		s.unreachable(at, t, o.err, trunk)
	case o.err != nil:
		s.unanswered(at, t, o, trunk, us)
	default:
		s.elsewhere(at, t, o)
		s.answered(at, o)
	}
	return o.answer != nil
}

// unreachable says why there is no connection.
func (s *sheet) unreachable(at string, t locate.Target, err error, trunk string) {
	var late net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		s.bad("%s refuses the connection: nobody listens there", at).
			do("check transport and port in %s: %s may not be what it wants", trunk, strings.ToUpper(t.Transport))
	case errors.As(err, &late) && late.Timeout():
		s.bad("%s does not take a connection: packets get lost without a word", at).
			do("open %s to port %d in the firewalls between here and there, or check the address", t.Transport, t.Addr.Port())
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		s.bad("there is no way to %s: %s", at, reasonOf(err)).do("check this machine's routes (ip route get %s)", t.Addr.Addr())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		s.bad("there is no way to %s from the addresses of networks[].listen: %s", at, reasonOf(err)).
			do("listen on an address of this machine from which %s can be reached", t.Addr.Addr())
	default:
		s.bad("%s cannot be reached: %s", at, reasonOf(err)).do("check the network of this machine")
	}
}

// reasonOf is what the system says, without the addresses that have been named.
func reasonOf(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// unanswered says why there is no answer where packets can be sent.
func (s *sheet) unanswered(at string, t locate.Target, o outcome, trunk, us string) {
	switch {
	case errors.Is(o.err, syscall.ECONNREFUSED):
		s.bad("%s refuses: nobody listens there (ICMP port unreachable)", at).
			do("check the port in %s, and whether it is UDP that it wants", trunk)
	case errors.Is(o.err, syscall.EHOSTUNREACH), errors.Is(o.err, syscall.ENETUNREACH), errors.Is(o.err, syscall.EPERM), errors.Is(o.err, syscall.EACCES):
		s.bad("there is no way to %s: %s", at, reasonOf(o.err)).do("look at this machine's routes and firewall (ip route get %s; nft list ruleset)", t.Addr.Addr())
	case o.overTLS:
		s.bad("%s speaks TLS, and nothing else", at).do("write ;transport=tls in %s", trunk)
	case errors.Is(o.err, errClosed):
		s.bad("%s takes the connection and closes it without a word", at).
			do("it may not know this address: have %s put on its list; or it wants TLS (transport=tls)", us)
	case errors.Is(o.err, errSilence) && o.overTCP:
		s.bad("%s does not answer over UDP, and TCP port %d connects", at, t.Addr.Port()).
			do("write ;transport=tcp behind the server in %s, or open UDP in the firewalls on the way", trunk)
	case errors.Is(o.err, errSilence) && t.Transport == "udp" && o.strange:
		s.bad("%s does not answer, and no ICMP error comes; it was asked from port %d, since the network's own is held", at, o.local.Port()).
			do("see what it answers the gateway, above (passerelle trunks); if nothing: open UDP to and from port %d in the firewalls on the way, and have %s put on the list of those whom the trunk answers", t.Addr.Port(), us)
	case errors.Is(o.err, errSilence) && t.Transport == "udp":
		s.bad("%s does not answer, and no ICMP error comes: packets get lost without a word", at).
			do("open UDP to and from port %d in the firewalls on the way; have %s put on the list of those whom the trunk answers; check the address in %s", t.Addr.Port(), us, trunk)
	case errors.Is(o.err, errSilence):
		s.bad("%s takes the connection and does not answer", at).do("have %s put on the list of those whom the trunk answers; check that it is SIP that is spoken at that port", us)
	case errors.Is(o.err, errNotSIP):
		s.bad("%s does not speak SIP: it says %q", at, first(o.raw, 40)).do("check the port in %s", trunk)
	default:
		s.bad("%s: %s", at, reasonOf(o.err)).do("check the network of this machine")
	}
}

func first(data []byte, n int) string { return string(data[:min(n, len(data))]) }

// elsewhere tells of an answer that comes from where nothing was sent.
func (s *sheet) elsewhere(at string, t locate.Target, o outcome) {
	switch {
	case o.from.Addr() != t.Addr.Addr():
		s.bad("%s was asked, and %s answers", at, o.from).
			do("name %s as the server, or have its answers sent from where it is asked: an answer from another address is a stranger's", o.from.Addr())
	case o.from.Port() != t.Addr.Port():
		s.warn("%s was asked, and answers from port %d", at, o.from.Port()).
			do("a firewall that knows only port %d keeps its answers out: have it answer from the port that is asked", t.Addr.Port())
	}
}

// answered judges an answer.
func (s *sheet) answered(at string, o outcome) {
	r := o.answer
	what := fmt.Sprintf("%s answers OPTIONS with %d %s in %s", at, r.code, r.reason, tidy(o.took))
	if agent := r.header("Server") + r.header("User-Agent"); agent != "" {
		what += "; it is " + agent
	}
	switch {
	case r.code < 300, r.code == 401, r.code == 407, r.code == 404, r.code == 405, r.code == 481, r.code == 486, r.code == 488, r.code == 501:
		s.ok("%s", what) // it is there: that it wants no OPTIONS, or from somebody else, is no harm
	case r.code < 400:
		s.warn("%s: it sends us elsewhere, to %s", what, r.list("Contact")).do("name that as the server; redirects of OPTIONS and REGISTER are not followed")
	case r.code == 403:
		s.warn("%s: it does not want us", what).do("if calls are refused as well, have this address put on the trunk's list")
	case r.code == 483:
		s.bad("%s: the request went in circles", what).do("the server sends it back to itself, or to us: check its address, and the routes there")
	case r.code == 408 || r.code >= 500 && r.code < 600:
		again := ""
		if after := r.header("Retry-After"); after != "" {
			again = "; it wants to be left alone for " + after + " s"
		}
		s.bad("%s: it is there, and in trouble%s", what, again).do("ask whoever runs it; calls go to the trunk's other servers, if there are any")
	default:
		s.warn("%s", what).do("ask whoever runs it what is wrong with an OPTIONS from us")
	}
	if can := r.list("Allow"); can != "" {
		s.ok("it can %s; supported: %s", can, or(r.list("Supported"), "nothing"))
	}
}

// clock compares this machine's clock with another's.
func (s *sheet) clock(r *response, now time.Time) {
	theirs, err := http.ParseTime(r.header("Date"))
	if err != nil {
		return
	}
	if off := now.Sub(theirs); off.Abs() > clockOff {
		way := "ahead of"
		if off < 0 {
			way = "behind"
		}
		s.warn("this machine's clock is %s %s the server's (%s there)", tidy(off.Abs()), way, moment(theirs)).
			do("see which is right (timedatectl): certificates, hours of routes and the log depend on it")
		return
	}
	s.ok("its clock and ours agree")
}

// tidy is a duration for people.
func tidy(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	text := d.Round(time.Minute).String()
	return strings.Replace(strings.TrimSuffix(text, "0s"), "h0m", "h", 1)
}

// or is text, or otherwise.
func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
