package sdp

import (
	"bytes"
	"errors"
)

// Session is our side of all offers and answers in one dialog: it counts the version on the o= line and keeps the
// m-lines and payload types of a renewed offer as they were (RFC 3264 section 8), and its keys as long as the peer keeps its own. It belongs to one goroutine at a
// time. Local may be changed between two calls (a hold, another port); Local.Origin.Version is where the
// count begins and is the session's from then on.
type Session struct {
	Local Local

	last  []byte // our last description, "" if there is none
	offer []byte // our last offer
	shape *shape // nil before the first agreement
}

// Answer answers an offer of the peer, the first or a later one. After an error the session is as it was.
func (s *Session) Answer(offer []byte) (answer []byte, media Media, err error) {
	var agreed *shape
	body, err := s.next(func(local Local) (body []byte, err error) {
		body, media, agreed, err = answerOffer(offer, local)
		return body, err
	})
	if err != nil {
		return nil, Media{}, err
	}
	s.settle(agreed, media)
	return body, media, nil
}

// Offer makes an offer, the first or a later one: to hold the peer, or for an INVITE that brings none. It has
// all that we speak, not only what was agreed: the answer may come from another phone than the last.
func (s *Session) Offer() ([]byte, error) {
	shape := s.shape
	if shape == nil {
		shape = firstShape(s.Local)
	}
	body, err := s.next(func(local Local) ([]byte, error) { return offerShape(local, shape) })
	if err != nil {
		return nil, err
	}
	s.offer = body
	return body, nil
}

// Repeat makes an offer of our last description, word for word, its version too: nothing shall change (RFC 3264
// section 8), and the session is only refreshed.
func (s *Session) Repeat() ([]byte, error) {
	if s.last == nil {
		return nil, errors.New("sdp: nothing was said that could be repeated")
	}
	s.offer = s.last
	return s.last, nil
}

// ReadAnswer reads the peer's answer to the last Offer. After an error what was agreed before still is.
func (s *Session) ReadAnswer(answer []byte) (Media, error) {
	if s.offer == nil {
		return Media{}, errors.New("sdp: an answer without an offer")
	}
	media, agreed, err := readAnswer(s.offer, answer, s.Local)
	if err != nil {
		return Media{}, err
	}
	s.settle(agreed, media)
	return media, nil
}

// settle keeps what was agreed on.
func (s *Session) settle(agreed *shape, media Media) {
	s.shape, s.Local.agreed, s.Local.shaken = agreed, media.Crypto, media.DTLS
}

// next makes our next description: the same version if it is the same in every byte, else the next one.
func (s *Session) next(compose func(Local) ([]byte, error)) ([]byte, error) {
	local := s.Local
	body, err := compose(local)
	if err != nil {
		return nil, err
	}
	if s.last != nil && !bytes.Equal(body, s.last) {
		local.Origin.Version++
		if body, err = compose(local); err != nil {
			return nil, err
		}
	}
	s.Local.Origin.Version = local.Origin.Version
	s.last = body
	return body, nil
}
