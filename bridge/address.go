package bridge

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// resolveTimeout bounds how long an advertised name may take to resolve; the caller waits for it.
const resolveTimeout = 2 * time.Second

// local is our side of the first offer and answer with a caller.
func (g *Gateway) local(ctx context.Context, n Network, line *rtp.Line, invite sip.Invite, trunk *config.Trunk) (sdp.Local, error) {
	addr, err := n.mediaAddr(ctx, line.LocalAddr().Addr(), invite.Local.Addr())
	if err != nil {
		return sdp.Local{}, err
	}
	return sdp.Local{
		Origin:   sdp.Origin{ID: rand.Uint64N(1 << 31), Version: 1},
		Address:  netip.AddrPortFrom(addr, line.LocalAddr().Port()),
		RTCP:     netip.AddrPortFrom(addr, line.LocalRTCP().Port()),
		Codecs:   codecs(trunk),
		Security: g.security(trunk.SRTP, n.KeysOverTLS && !config.Encrypted(invite.Transport)),
	}, nil
}

// security is what a trunk wants of SRTP. Keys, and fingerprints, that are exposed on their way to us protect nothing: where they are
// not to be taken, there are none in common.
func (g *Gateway) security(s config.SRTP, exposed bool) sdp.Security {
	policy := map[config.SRTPPolicy]sdp.Policy{config.SRTPOptional: sdp.Optional, config.SRTPRequired: sdp.Required}[s.Policy]
	if exposed && policy == sdp.Optional {
		policy = sdp.Plain
	}
	var suites []sdp.Suite
	for _, name := range s.Suites {
		suites = append(suites, sdp.Suite(name))
	}
	exchange := map[config.SRTPKeys]sdp.Exchange{config.SRTPBySDES: sdp.SDES, config.SRTPByDTLS: sdp.Handshake}[s.Keys]
	fingerprint := ""
	if g.Identity != nil {
		fingerprint = g.Identity.Fingerprint()
	}
	return sdp.Security{Policy: policy, Exchange: exchange, Fingerprint: fingerprint, Suites: suites}
}

// mediaAddr is the address that a peer is told to send its sound to: the advertised one, else the one that
// the line is bound to, else the one at which the peer's INVITE reached us. It is of the peer's family.
func (n Network) mediaAddr(ctx context.Context, bound, reached netip.Addr) (netip.Addr, error) {
	reached = reached.Unmap().WithZone("")
	switch {
	case n.Advertise.Addr.IsValid():
		if n.Advertise.Addr.Is4() != reached.Is4() {
			return reached, nil // what is advertised is for the other family
		}
		return n.Advertise.Addr, nil
	case n.Advertise.Host != "":
		return resolve(ctx, n.Advertise.Host, reached.Is4())
	case bound.IsUnspecified():
		return reached, nil
	default:
		return bound.Unmap().WithZone(""), nil
	}
}

// resolve finds the address of a name that is advertised.
func resolve(ctx context.Context, host string, ip4 bool) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	network := "ip6"
	if ip4 {
		network = "ip4"
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil || len(found) == 0 {
		return netip.Addr{}, refuse(488, "networks.advertise: no %s address for %s: %v", network, host, err)
	}
	return found[0].Unmap(), nil
}

// KindsOf returns what codecs of the configuration are, in their order.
func KindsOf(codecs []config.Codec) (kinds []codec.Kind) {
	for _, c := range codecs {
		switch c {
		case config.PCMU:
			kinds = append(kinds, codec.PCMU)
		case config.PCMA:
			kinds = append(kinds, codec.PCMA)
		case config.G722:
			kinds = append(kinds, codec.G722)
		case config.Opus:
			kinds = append(kinds, codec.Opus)
		}
	}
	return kinds
}

// codecs are those that a trunk may speak, the one we like best first. Where it does not say, G.722 comes
// before Opus: it sounds nearly as good from a phone, and what a phone is sent costs a tenth.
func codecs(trunk *config.Trunk) []codec.Kind {
	kinds := KindsOf(trunk.Codecs)
	if len(kinds) == 0 {
		kinds = []codec.Kind{codec.G722, codec.Opus, codec.PCMA, codec.PCMU}
	}
	return append(kinds, codec.ComfortNoise)
}
