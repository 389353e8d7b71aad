package sdp

import "errors"

// Offer makes an offer of one audio line with all of local.Codecs and telephone-event.
func Offer(local Local) ([]byte, error) {
	return nil, errors.New("not yet")
}

// ReadAnswer reads the peer's answer to an offer of ours that was made from local (RFC 3264 section 7).
func ReadAnswer(offer, answer []byte, local Local) (Media, error) {
	return Media{}, errors.New("not yet")
}
