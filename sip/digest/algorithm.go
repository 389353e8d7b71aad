package digest

import (
	"crypto/md5" //nolint:gosec // telephones know nothing else, many of them
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
)

// Algorithm is a way to make a digest, by its registered name.
type Algorithm string

// The algorithms of RFC 7616; the strongest first. Each has a session variant, whose name ends in "-sess".
const (
	SHA512 Algorithm = "SHA-512-256"
	SHA256 Algorithm = "SHA-256"
	MD5    Algorithm = "MD5"
)

const session = "-sess"

// Algorithms are all that are known, the strongest first.
func Algorithms() []Algorithm { return []Algorithm{SHA512, SHA256, MD5} }

// named returns the algorithm of that name, in its own spelling; what is not known stays as it is.
func named(name string) Algorithm {
	if name == "" {
		return MD5
	}
	for _, a := range Algorithms() {
		if strings.EqualFold(name, string(a)) {
			return a
		}
		if strings.EqualFold(name, string(a)+session) {
			return a + session
		}
	}
	if !isToken(name) {
		return "unknown"
	}
	return Algorithm(name)
}

// base is the algorithm without its session variant.
func (a Algorithm) base() Algorithm { return Algorithm(strings.TrimSuffix(string(a), session)) }

// sessions reports whether it is the session variant.
func (a Algorithm) sessions() bool { return strings.HasSuffix(string(a), session) }

// sum returns the digest of the parts with colons between them, in hexadecimal; "" for an algorithm that is not known.
func (a Algorithm) sum(parts ...string) string {
	data := []byte(strings.Join(parts, ":"))
	switch a.base() {
	case SHA512:
		s := sha512.Sum512_256(data)
		return hex.EncodeToString(s[:])
	case SHA256:
		s := sha256.Sum256(data)
		return hex.EncodeToString(s[:])
	case MD5:
		s := md5.Sum(data) //nolint:gosec // as above
		return hex.EncodeToString(s[:])
	}
	return ""
}

// HA1 is what of a password both sides need: the digest of user, realm and password.
func (a Algorithm) HA1(user, realm, password string) string {
	return a.base().sum(user, realm, password)
}
