package config

import (
	"errors"
	"slices"
	"strings"
)

// SRTP is whether a trunk's sound is encrypted, and how.
type SRTP struct {
	Policy SRTPPolicy
	Suites []string // the one we like best first, by their registered names; empty: all that we speak
	Keys   SRTPKeys // how they may come about; empty: in any way
}

// SRTPPolicy says when sound is encrypted.
type SRTPPolicy string

// The policies.
const (
	SRTPOff      SRTPPolicy = "off"
	SRTPOptional SRTPPolicy = "optional" // where the peer can
	SRTPRequired SRTPPolicy = "required" // or there is no call
)

// SRTPKeys says where keys come from.
type SRTPKeys string

// The ways.
const (
	SRTPBySDES SRTPKeys = "sdes" // in the SDP
	SRTPByDTLS SRTPKeys = "dtls" // in a handshake where the sound goes
)

// suites are the crypto-suites that there are.
func suites() []string {
	return []string{
		"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80",
		"AES_256_CM_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32",
	}
}

// parseSRTP reads a policy, where keys come from, or the name of a suite.
func parseSRTP(text string) (string, error) {
	switch SRTPPolicy(text) {
	case SRTPOff, SRTPOptional, SRTPRequired:
		return text, nil
	}
	switch SRTPKeys(text) {
	case SRTPBySDES, SRTPByDTLS:
		return text, nil
	}
	if name := strings.ToUpper(text); slices.Contains(suites(), name) {
		return name, nil
	}
	return "", errors.New("off, optional, required, sdes, dtls or a crypto-suite (" + listed(suites()) + ") is wanted")
}

// srtp reads a policy, where keys come from and suites, or some of these; without a policy they are required.
func (b *builder) srtp(t *tree) SRTP {
	var s SRTP
	for _, word := range values(b, t, parseSRTP) {
		switch policy := SRTPPolicy(word); {
		case SRTPKeys(word) == SRTPBySDES || SRTPKeys(word) == SRTPByDTLS:
			if s.Keys != "" {
				b.add(t.at, t.path, "%s and %s: one of the two is enough, and none is both", s.Keys, word)
			}
			s.Keys = SRTPKeys(word)
		case policy != SRTPOff && policy != SRTPOptional && policy != SRTPRequired:
			if slices.Contains(s.Suites, word) {
				b.add(t.at, t.path, "%s is there twice", word)
			}
			s.Suites = append(s.Suites, word)
		case s.Policy != "":
			b.add(t.at, t.path, "%s and %s: one of the two is enough", s.Policy, policy)
		default:
			s.Policy = policy
		}
	}
	if s.Policy == "" {
		s.Policy = SRTPRequired
	}
	if s.Policy == SRTPOff && len(s.Suites) > 0 {
		b.add(t.at, t.path, "it is off, and suites are named")
	}
	if s.Policy == SRTPOff && s.Keys != "" {
		b.add(t.at, t.path, "it is off, and %s is named", s.Keys)
	}
	if s.Keys == SRTPByDTLS && len(s.Suites) > 0 && !slices.ContainsFunc(s.Suites, byDTLS) {
		b.add(t.at, t.path, "a DTLS handshake agrees on none of these suites: they have no number there (RFC 5764, RFC 7714)")
	}
	if t.ok() && len(t.items) == 0 {
		b.add(t.at, t.path, "one word at least is wanted")
	}
	return s
}

// byDTLS reports whether a handshake can agree on a suite.
func byDTLS(suite string) bool { return !strings.HasPrefix(suite, "AES_256_CM") }

// parseProfile reads the name of a set of rules.
func parseProfile(text string) (bool, error) {
	switch text {
	case "default":
		return false, nil
	case "anssi":
		return true, nil
	}
	return false, errors.New("default or anssi is wanted")
}
