package sdp

import (
	"errors"
	"slices"
	"strings"

	"passerelle/codec"
)

// Answer answers an offer (RFC 3264 section 6). The answer has the m-lines of the offer in their order; the first
// audio line that we can carry is accepted with one codec, the first of local.Codecs that it offers, and all
// others are refused with port 0. An error is an [*Error] unless local itself is wrong.
func Answer(offer []byte, local Local) (answer []byte, media Media, err error) {
	answer, media, _, err = answerOffer(offer, local)
	return answer, media, err
}

// answerOffer is Answer, and returns the shape that later offers must keep.
func answerOffer(offer []byte, local Local) ([]byte, Media, *shape, error) {
	if err := local.check(); err != nil {
		return nil, Media{}, nil, err
	}
	d, err := parse(offer)
	if err != nil {
		return nil, Media{}, nil, err
	}
	index, media, err := accept(d, local)
	if err != nil {
		return nil, Media{}, nil, err
	}
	s := &shape{names: d.names(), mids: d.mids, bundled: d.bundled(index), audio: index, formats: formatsOf(d.MediaDescriptions[index])}
	// The time of a session is not negotiable: t= is the offer's (RFC 3264 section 6).
	body, err := compose(local, d.TimeDescriptions, s, answerLine(media, local, s.formats))
	return body, media, s, err
}

// accept finds the m-line to accept and what is agreed on it; or the refusal that came closest to an agreement.
func accept(d *description, local Local) (index int, media Media, err error) {
	refusal := refuse(ErrNoAudio, "offered %s", describeLines(d))
	for i, m := range d.MediaDescriptions {
		name := m.MediaName
		if !strings.EqualFold(name.Media, "audio") || name.Port.Value == 0 {
			continue
		}
		err := error(refuse(ErrTransport, "there %s, here RTP/AVP", describeProto(name)))
		if carries(name) {
			media, err = agree(d, m, local, local.favourite, nil)
			if err == nil {
				err = local.secure(d, m, &media)
			}
		}
		if err == nil {
			media.Refused = refused(d.names(), i)
			return i, media, nil
		}
		var e *Error
		if errors.As(err, &e) && e.rank() > refusal.rank() {
			refusal = e
		}
	}
	return 0, Media{}, refusal
}

// favourite picks the offered format that we like best.
func (l Local) favourite(offered []format) (format, bool) {
	for _, kind := range l.Codecs {
		if kind == codec.ComfortNoise {
			continue
		}
		if f, ok := findKind(offered, kind); ok {
			return f, true
		}
	}
	return format{}, false
}

// check reports what is wrong with our own side: a mistake in the program or its configuration.
func (l Local) check() error {
	if addr := l.Address.Addr(); !addr.IsValid() || addr.IsUnspecified() || addr.Zone() != "" || l.Address.Port() == 0 {
		return errors.New("sdp: Local.Address is no address for a peer to send to")
	}
	if !slices.ContainsFunc(l.Codecs, func(k codec.Kind) bool { return k != codec.ComfortNoise }) {
		return errors.New("sdp: Local.Codecs is empty")
	}
	for _, kind := range l.Codecs {
		if kind.ClockRate() == 0 {
			return errors.New("sdp: Local.Codecs has an unknown kind")
		}
	}
	if l.PTime != 0 && !slices.Contains(packetTimes(codec.PCMU), l.PTime) {
		return errors.New("sdp: Local.PTime is not 10, 20, 30, 40 or 60 ms")
	}
	return nil
}
