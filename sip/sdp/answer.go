package sdp

import "errors"

// Answer answers an offer (RFC 3264 section 6). The answer has the m-lines of the offer in their order; the first audio
// line that we can carry is accepted with one codec, the first of local.Codecs that was offered, and all
// others are refused with port 0. An error is an [*Error] unless local itself is wrong.
func Answer(offer []byte, local Local) (answer []byte, media Media, err error) {
	return nil, Media{}, errors.New("not yet")
}
