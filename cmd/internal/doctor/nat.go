package doctor

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"passerelle/config"
)

// What the other side says of where it sees us (RFC 3261 section 18.2.1, RFC 3581): the answer has our own Via in it, with
// "received" and "rport" where they are not what we wrote. Whoever rewrites SIP on the way (a router's "SIP ALG") is seen there, too.

// place is where we are, and where we say that we are.
type place struct {
	setting   string // "networks[0].advertise"
	advertise config.Advertise
	resolved  []netip.Addr // what advertise is, where it is a name
	transport string
	local     netip.AddrPort
}

// seen compares. peer is whom we have asked.
func (s *sheet) seen(at place, said sent, v via, peer netip.Addr) {
	received, err := netip.ParseAddr(strings.Trim(v.params["received"], "[]"))
	if err != nil {
		if _, both := v.params["rport"]; !both || v.params["rport"] == "" {
			s.ok("it does not say where it sees us (no received in Via)")
			return
		}
		received, err = netip.ParseAddr(said.host)
		if err != nil {
			return
		}
	}
	received = received.Unmap()
	ours := at.advertise.Addr
	if at.advertise.Host != "" && len(at.resolved) > 0 {
		if ours = at.resolved[0]; slices.Contains(at.resolved, received) {
			ours = received
		}
	}
	switch {
	case at.advertise.Host != "" && !ours.IsValid():
		s.bad("%s is %s, which has no address", at.setting, at.advertise.Host).do("set %s to %s, where it sees us", at.setting, received)
	case ours.IsValid() && received == ours:
		s.ok("it sees us at %s, as %s says", received, at.setting)
	case ours.IsValid() && inside(received) && !inside(ours):
		s.warn("it is inside, and sees us at %s; %s tells it %s", received, at.setting, ours).
			do("put this trunk on a network of its own, without advertise, or sound will go round by %s", ours)
	case ours.IsValid():
		s.bad("it sees us at %s; %s tells it %s", received, at.setting, ours).
			do("set %s to %s, or see to it that the way out to %s is by %s", at.setting, received, peer, ours)
	case received == at.local.Addr():
		s.ok("it sees us at %s, as we are: there is no NAT", received)
	default:
		s.bad("there is a NAT: we are %s here, and it sees us at %s", at.local.Addr(), received).
			do("set %s to %s, and forward the ports of listen and media from there to this machine", at.setting, received)
	}
	if port, err := strconv.Atoi(v.params["rport"]); err == nil && at.transport == "udp" && port != int(at.local.Port()) {
		s.warn("a NAT changes ports: what leaves from port %d comes from port %d there", at.local.Port(), port).
			do("map the ports of listen and media one to one in the NAT; or use transport=tcp for the SIP of this trunk")
	}
}

// inside reports whether an address means something on its own network only.
func inside(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }

// rewritten looks for what somebody on the way has changed.
func (s *sheet) rewritten(said sent, r *response, v via) {
	var changed []string
	if !strings.EqualFold(v.host, said.host) || v.port != said.port && (v.port != 0 || said.port != 5060 && said.port != 5061) {
		changed = append(changed, "Via ("+v.host+":"+strconv.Itoa(v.port)+" for "+said.host+":"+strconv.Itoa(said.port)+")")
	}
	if v.params["branch"] != said.branch {
		changed = append(changed, "the branch of Via")
	}
	if r.header("Call-ID") != said.callID {
		changed = append(changed, "Call-ID")
	}
	if !strings.Contains(r.header("From"), said.tag) {
		changed = append(changed, "From")
	}
	if n := r.header("Content-Length"); n != "" && n != strconv.Itoa(len(r.body)) {
		changed = append(changed, "Content-Length ("+n+" for a body of "+strconv.Itoa(len(r.body))+" bytes)")
	}
	if len(changed) > 0 {
		s.bad("somebody on the way rewrites SIP: %s came back changed", listed(changed)).
			do(`switch "SIP ALG" (SIP helper, SIP inspection, nf_nat_sip) off in routers and firewalls on the way, or use transport=tls, which they cannot read`)
	}
}
