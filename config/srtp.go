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
}

// SRTPPolicy says when sound is encrypted.
type SRTPPolicy string

// The policies.
const (
	SRTPOff      SRTPPolicy = "off"
	SRTPOptional SRTPPolicy = "optional" // where the peer can
	SRTPRequired SRTPPolicy = "required" // or there is no call
)

// suites are the crypto-suites that there are.
func suites() []string {
	return []string{
		"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80",
		"AES_256_CM_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32",
	}
}

// parseSRTP reads a policy or the name of a suite.
func parseSRTP(text string) (string, error) {
	switch SRTPPolicy(text) {
	case SRTPOff, SRTPOptional, SRTPRequired:
		return text, nil
	}
	if name := strings.ToUpper(text); slices.Contains(suites(), name) {
		return name, nil
	}
	return "", errors.New("off, optional, required or a crypto-suite (" + listed(suites()) + ") is wanted")
}

// srtp reads a policy, suites, or both; suites alone are required.
func (b *builder) srtp(t *tree) SRTP {
	var s SRTP
	for _, word := range values(b, t, parseSRTP) {
		switch policy := SRTPPolicy(word); {
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
	if t.ok() && len(t.items) == 0 {
		b.add(t.at, t.path, "one word at least is wanted")
	}
	return s
}

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
