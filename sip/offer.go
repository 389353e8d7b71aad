package sip

// The offer/answer machine inside a dialog (RFC 3264, RFC 6337): who has an offer out. It is pure, like the
// dialog machine. Offers come in INVITE, re-INVITE and UPDATE, and in our 200 to an INVITE that had none.

// negotiation is where offer and answer stand.
type negotiation uint8

const (
	stable      negotiation = iota + 1 // agreed, or nothing said yet
	localOffer                         // we offered, the answer is awaited
	remoteOffer                        // the peer offered, our answer is awaited
)

// offerEvent is what happens to the negotiation.
type offerEvent uint8

const (
	offerHeard  offerEvent = iota + 1 // the peer offers
	offerWe                           // we offer
	answerHeard                       // the peer answers our offer, or refuses it
	answeredWe                        // we answer the peer's offer, or refuse it
)

// offerAction is what the dialog does about it.
type offerAction uint8

const (
	proceed   offerAction = iota + 1
	glare                 // 491: both offered at once (RFC 3261 section 14.2, RFC 3311 section 5.2)
	retry                 // 500 with Retry-After: one offer at a time (same places)
	forbidden             // not now; ours to know, nothing is sent
)

// nextOffer returns what follows e in n.
func nextOffer(n negotiation, e offerEvent) (negotiation, offerAction) {
	switch {
	case n == stable && e == offerHeard:
		return remoteOffer, proceed
	case n == stable && e == offerWe:
		return localOffer, proceed
	case n == localOffer && e == offerHeard:
		return localOffer, glare
	case n == localOffer && e == answerHeard:
		return stable, proceed
	case n == remoteOffer && e == offerHeard:
		return remoteOffer, retry
	case n == remoteOffer && e == answeredWe:
		return stable, proceed
	}
	return n, forbidden
}

func (n negotiation) String() string {
	switch n {
	case stable:
		return "stable"
	case localOffer:
		return "local offer"
	case remoteOffer:
		return "remote offer"
	}
	return "none"
}

func (e offerEvent) String() string {
	switch e {
	case offerHeard:
		return "the peer offers"
	case offerWe:
		return "we offer"
	case answerHeard:
		return "the peer answers"
	case answeredWe:
		return "we answer"
	}
	return "none"
}

func (a offerAction) String() string {
	switch a {
	case proceed:
		return "go on"
	case glare:
		return "491"
	case retry:
		return "500, Retry-After"
	case forbidden:
		return "not now"
	}
	return "none"
}
