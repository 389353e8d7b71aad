package sdp

import (
	"slices"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

// Offer makes an offer of one audio line with all of local.Codecs, and telephone-event at their RTP clocks.
func Offer(local Local) ([]byte, error) {
	return offerShape(local, firstShape(local))
}

// offerShape makes an offer with the m-lines of s.
func offerShape(local Local, s *shape) ([]byte, error) {
	if err := local.check(); err != nil {
		return nil, err
	}
	times := []pion.TimeDescription{{}} // "t=0 0" (RFC 3264 section 5)
	return compose(local, times, s, offerLine(local, s.formats))
}

// ReadAnswer reads the peer's answer to an offer of ours that was made from local (RFC 3264 section 7). An error is an
// [*Error]; the session that it leaves without sound is for the caller to end.
func ReadAnswer(offer, answer []byte, local Local) (Media, error) {
	media, _, err := readAnswer(offer, answer, local)
	return media, err
}

// readAnswer is ReadAnswer, and returns the shape that later offers must keep.
func readAnswer(offer, answer []byte, local Local) (Media, *shape, error) {
	o, err := parse(offer)
	if err != nil {
		return Media{}, nil, err
	}
	a, err := parse(answer)
	if err != nil {
		return Media{}, nil, err
	}
	if len(a.MediaDescriptions) != len(o.MediaDescriptions) {
		return Media{}, nil, refuse(ErrMismatch, "%d m-lines for %d", len(a.MediaDescriptions), len(o.MediaDescriptions))
	}
	for i, m := range a.MediaDescriptions {
		ours := o.MediaDescriptions[i]
		if !carries(ours.MediaName) || !carries(m.MediaName) {
			continue
		}
		own := formatsOf(ours)
		local.Direction |= directionOf(o.Attributes, ours.Attributes)
		media, err := agree(a, m, local, local.offered(own), own)
		if err != nil {
			return Media{}, nil, err
		}
		if _, mux := ours.Attribute("rtcp-mux"); !mux && media.RTCPMux {
			media.RTCPMux, media.RemoteRTCP = false, rtcpOf(m, media.Remote)
		}
		if shakesHands(o, ours) {
			media.DTLS, err = local.readShake(a, m, ours)
		} else {
			media.Crypto, err = local.readProtection(m, ours)
		}
		if err != nil {
			return Media{}, nil, err
		}
		media.Refused = refused(o.names(), i)
		return media, &shape{names: o.names(), mids: o.mids, bundled: o.bundled(i), audio: i, formats: own}, nil
	}
	return Media{}, nil, refuse(ErrNoAudio, "the audio line was refused")
}

// offered returns a choice: the first format of the answer that we have offered, since the answer's order is the
// peer's wish within ours (RFC 3264 section 7).
func (l Local) offered(own []format) func([]format) (format, bool) {
	return func(answered []format) (format, bool) {
		i := slices.IndexFunc(answered, func(f format) bool {
			kind := f.kind()
			_, ok := findKind(own, kind)
			return ok && kind != codec.ComfortNoise && slices.Contains(l.Codecs, kind)
		})
		if i < 0 {
			return format{}, false
		}
		return answered[i], true
	}
}
