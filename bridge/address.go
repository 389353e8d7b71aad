package bridge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// local is our side of the first offer and answer with a caller.
func (g *Gateway) local(ctx context.Context, line *rtp.Line, invite sip.Invite, trunk *config.Trunk) (sdp.Local, error) {
	addr, err := g.mediaAddr(ctx, line.LocalAddr().Addr(), invite.Local.Addr())
	if err != nil {
		return sdp.Local{}, err
	}
	return sdp.Local{
		Origin:  sdp.Origin{ID: rand.Uint64N(1 << 31), Version: 1},
		Address: netip.AddrPortFrom(addr, line.LocalAddr().Port()),
		RTCP:    netip.AddrPortFrom(addr, line.LocalRTCP().Port()),
		Codecs:  codecs(trunk),
	}, nil
}

// mediaAddr is the address that a peer is told to send its sound to: the advertised one, else the one that
// the line is bound to, else the one at which the peer's INVITE reached us.
func (g *Gateway) mediaAddr(ctx context.Context, bound, reached netip.Addr) (netip.Addr, error) {
	switch {
	case g.Advertise.Addr.IsValid():
		return g.Advertise.Addr, nil
	case g.Advertise.Host != "":
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", g.Advertise.Host)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("resolve networks.advertise: %w", err)
		}
		for _, addr := range found {
			if addr.Unmap().Is4() == reached.Unmap().Is4() {
				return addr.Unmap(), nil
			}
		}
		return netip.Addr{}, fmt.Errorf("networks.advertise: %s has no address of the caller's family", g.Advertise.Host)
	case bound.IsUnspecified():
		return reached.Unmap().WithZone(""), nil
	default:
		return bound.Unmap().WithZone(""), nil
	}
}

// codecs are those that a trunk may speak, the one we like best first.
func codecs(trunk *config.Trunk) []codec.Kind {
	known := map[config.Codec]codec.Kind{config.PCMU: codec.PCMU, config.PCMA: codec.PCMA}
	var kinds []codec.Kind
	for _, name := range trunk.Codecs {
		if kind, ok := known[name]; ok {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		kinds = []codec.Kind{codec.PCMA, codec.PCMU}
	}
	return append(kinds, codec.ComfortNoise)
}
