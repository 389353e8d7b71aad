package sdp

import "errors"

// Session is our side of all offers and answers in one dialog: it counts the version on the o= line and keeps
// the m-lines of a renewed offer in step with those before it (RFC 3264 section 8). It belongs to one goroutine at
// a time; so may the zero value's Local be changed between two calls (hold, another port).
type Session struct {
	Local Local // Origin.Version is the session's business

	last []byte
}

// Answer answers an offer of the peer, the first or a later one. After an error the session is as it was.
func (s *Session) Answer(offer []byte) (answer []byte, media Media, err error) {
	return nil, Media{}, errors.New("not yet")
}

// Offer makes an offer, the first or a later one (as for an INVITE without one).
func (s *Session) Offer() ([]byte, error) { return nil, errors.New("not yet") }

// ReadAnswer reads the peer's answer to the last Offer.
func (s *Session) ReadAnswer(answer []byte) (Media, error) {
	return Media{}, errors.New("not yet")
}
