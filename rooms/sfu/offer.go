package sfu

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"passerelle/rooms/internal/ready"
)

// opusFormat is what we ask browsers to send: FEC against loss, and next to nothing while nobody speaks
// (RFC 7587 section 6.1).
const opusFormat = ready.OpusFormat

// readOffer checks a browser's offer: one audio line that sends, the microphone, then at least one and at
// most maxSlots that only receive, the slots; all with Opus. It returns the offer without candidates: as
// ICE lite (RFC 8445 section 2.5) we wait for checks and send none.
func readOffer(text string, maxSlots int) (string, error) {
	var offer sdp.SessionDescription
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		return "", fmt.Errorf("%w: a line is broken in two", errOffer) // pion/sdp would lose a part of it
	}
	if err := offer.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	if n := len(offer.MediaDescriptions); n < 2 || n > 1+maxSlots {
		return "", fmt.Errorf("%w: %d media lines, want a microphone and 1 to %d slots", errOffer, n, maxSlots)
	}
	mids := make(map[string]bool)
	for i, m := range offer.MediaDescriptions {
		if err := checkMedia(&offer, m, i == 0); err != nil {
			return "", fmt.Errorf("%w: media line %d: %w", errOffer, i+1, err)
		}
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		if mid == "" || mids[mid] {
			return "", fmt.Errorf("%w: media line %d: its mid %q is missing or taken", errOffer, i+1, mid)
		}
		mids[mid] = true
		m.Attributes = slices.DeleteFunc(m.Attributes, isCandidate)
	}
	clean, err := offer.Marshal()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	return string(clean), nil
}

func isCandidate(a sdp.Attribute) bool {
	return a.Key == sdp.AttrKeyCandidate || a.Key == sdp.AttrKeyEndOfCandidates
}

// checkMedia checks one line of an offer.
func checkMedia(offer *sdp.SessionDescription, m *sdp.MediaDescription, microphone bool) error {
	if m.MediaName.Media != "audio" {
		return fmt.Errorf("%q is not audio", m.MediaName.Media)
	}
	for _, want := range []string{"ice-ufrag", "ice-pwd", "fingerprint", "setup"} {
		_, here := m.Attribute(want)
		_, above := offer.Attribute(want)
		if !here && !above {
			return fmt.Errorf("no %s", want)
		}
	}
	if !slices.ContainsFunc(m.Attributes, isOpus) {
		return errors.New("no Opus")
	}
	sends, receives := direction(m)
	if microphone && !sends {
		return errors.New("the first line does not send: it is the microphone")
	}
	if !microphone && (sends || !receives) {
		return errors.New("it must only receive: it is a slot")
	}
	return nil
}

func isOpus(a sdp.Attribute) bool {
	return a.Key == "rtpmap" && strings.HasSuffix(strings.ToLower(a.Value), " opus/48000/2")
}

// direction returns which way a media line goes (RFC 8866 section 6.7).
func direction(m *sdp.MediaDescription) (sends, receives bool) {
	for _, a := range m.Attributes {
		switch a.Key {
		case sdp.AttrKeySendOnly:
			return true, false
		case sdp.AttrKeyRecvOnly:
			return false, true
		case sdp.AttrKeyInactive:
			return false, false
		}
	}
	return true, true
}

// writeAnswer completes an answer as pion made it: where to send to, which pion knows only in part, and
// what to send.
func writeAnswer(text string, candidates []string) (string, error) {
	var answer sdp.SessionDescription
	if err := answer.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	for i, m := range answer.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, isCandidate)
		for j, a := range m.Attributes {
			if payloadType, _, ok := strings.Cut(a.Value, " "); ok && a.Key == "fmtp" {
				m.Attributes[j].Value = payloadType + " " + opusFormat // Opus is all that is left
			}
		}
		if i > 0 {
			continue // all lines share the transport of the first (RFC 9143)
		}
		for _, c := range candidates {
			m.WithValueAttribute(sdp.AttrKeyCandidate, c)
		}
		m.WithPropertyAttribute(sdp.AttrKeyEndOfCandidates)
	}
	done, err := answer.Marshal()
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	return string(done), nil
}
