package rtp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

// ICE is our side of ICE (RFC 8445), the lite one: we have one address, make no checks, and answer the peer's.
type ICE struct {
	Ufrag, Password string // ours, for the peer's checks
	RemoteUfrag     string
}

const (
	// consentTime is how long after its last check a peer is taken to be there (RFC 7675 section 5.1).
	consentTime = 30 * time.Second
	// nomineeTime is how long after its last nomination an address is kept, where one of a lower priority is nominated.
	nomineeTime = 5 * time.Second
)

// checked refuses what protects nothing (RFC 8445 section 5.3).
func (i *ICE) checked() error {
	if len(i.Ufrag) < 4 || len(i.Password) < 22 || i.RemoteUfrag == "" {
		return errors.New("ICE without credentials")
	}
	return nil
}

// iceLite is what the checks of a peer have told. It is pure, as the inbound that it is part of. The zero iceLite has
// heard of none.
type iceLite struct {
	began    bool
	checked  time.Duration  // when the last check came
	nominee  netip.AddrPort // where the peer wants its media
	priority uint32         // of its candidate there
	named    time.Duration  // when it was last nominated
}

// lost reports whether a peer that made checks makes them no more. That is so on hold too.
func (i *iceLite) lost(now time.Duration) bool { return i.began && now >= i.checked+consentTime }

// nominate takes a nomination; true where media goes elsewhere from now on. Some peers nominate every pair that works:
// of those the one of the highest priority is meant (RFC 8445 section 8.1.1, RFC 5245 section 8.1.1.2).
func (i *iceLite) nominate(from netip.AddrPort, priority uint32, now time.Duration) bool {
	switch {
	case from == i.nominee:
		i.named = now
		return false
	case i.nominee.IsValid() && priority < i.priority && now < i.named+nomineeTime:
		return false
	}
	i.nominee, i.priority, i.named = from, priority, now
	return true
}

// agreeICE puts where the checks have led into what was agreed on. A restart with other credentials leaves media where
// it is until there is another nomination (RFC 8445 section 9).
func (in *inbound) agreeICE(p *Params, now time.Duration) {
	if p.DTLS == nil || p.DTLS.ICE == nil {
		in.ice = iceLite{}
		return
	}
	in.ice.checked = now // it has its time from here, where it had begun
	if in.ice.nominee.IsValid() {
		p.Remote, p.RemoteRTCP = in.ice.nominee, in.ice.nominee
	}
}

// check answers a check, and does what it says.
func (l *Line) check(from netip.AddrPort, data []byte, now time.Duration) {
	l.mu.Lock()
	answer, moved := l.in.check(from, data, now)
	a := l.association
	if moved {
		l.aim()
	}
	l.mu.Unlock()
	if answer != nil {
		_, _ = l.pair.rtp.WriteToUDPAddrPort(answer, from) // a lost answer is asked for again
	}
	if moved {
		l.log.Debug("media path", "addr", unmapped(from))
		if a != nil {
			a.found()
		}
	}
}

// check judges a packet of STUN. What does not have our password, and every bit as it was sent, is nothing; nobody
// learns that there is somebody.
func (in *inbound) check(from netip.AddrPort, data []byte, now time.Duration) (answer []byte, moved bool) {
	from = unmapped(from)
	agreed := in.agreed.DTLS.ICE
	m := &stun.Message{}
	if len(data) > maxPacket || stun.Decode(data, m) != nil || m.Type != stun.BindingRequest {
		in.seen.Drops.Malformed++
		return nil, false
	}
	user, err := m.Get(stun.AttrUsername)
	integrity := stun.NewShortTermIntegrity(agreed.Password)
	if err != nil || string(user) != agreed.Ufrag+":"+agreed.RemoteUfrag ||
		stun.Fingerprint.Check(m) != nil || integrity.Check(m) != nil {
		in.seen.Drops.Foreign++
		return nil, false
	}
	if refusal := refused(m); refusal != nil {
		return reply(m, stun.BindingError, append(refusal, integrity, stun.Fingerprint)), false
	}
	in.ice.began, in.ice.checked = true, now
	in.living(now)
	if m.Contains(stun.AttrUseCandidate) && in.ice.nominate(from, priorityOf(m), now) {
		in.agreed.Remote, in.agreed.RemoteRTCP = from, from
		in.latch = in.latch.moved(from, netip.Addr{}, now)
		in.rtcp = controlLatch{sdp: from, mux: true}
		moved = true
	}
	mapped := &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())}
	return reply(m, stun.BindingSuccess, []stun.Setter{mapped, integrity, stun.Fingerprint}), moved
}

// refused returns the attributes of an error response to a check that is authentic, nil where there is no error.
func refused(m *stun.Message) []stun.Setter {
	var unknown stun.UnknownAttributes
	for _, a := range m.Attributes {
		switch a.Type {
		case stun.AttrUsername, stun.AttrMessageIntegrity, stun.AttrPriority, stun.AttrUseCandidate:
		default:
			if a.Type < 0x8000 { // comprehension is required (RFC 8489 section 14)
				unknown = append(unknown, a.Type)
			}
		}
	}
	switch {
	case len(unknown) > 0:
		return []stun.Setter{stun.CodeUnknownAttribute, unknown}
	case m.Contains(stun.AttrICEControlled): // so are we, who are lite (RFC 8445 section 7.3.1.1)
		return []stun.Setter{stun.CodeRoleConflict}
	}
	return nil
}

// priorityOf is the priority of the candidate that a check comes from (RFC 8445 section 7.1.1).
func priorityOf(m *stun.Message) uint32 {
	v, err := m.Get(stun.AttrPriority)
	if err != nil || len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

// reply makes an answer to a check; nil where it can not be made.
func reply(m *stun.Message, kind stun.MessageType, attributes []stun.Setter) []byte {
	all := append([]stun.Setter{stun.NewTransactionIDSetter(m.TransactionID), kind}, attributes...)
	answer, err := stun.Build(all...)
	if err != nil {
		return nil
	}
	return answer.Raw
}
