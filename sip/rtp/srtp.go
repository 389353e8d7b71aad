package rtp

import (
	"bytes"
	"fmt"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// SRTP is what encrypts a line (RFC 3711), as offer and answer have agreed on.
type SRTP struct {
	Suite         string // by its registered name: "AES_CM_128_HMAC_SHA1_80"
	Send, Receive Key    // our master key with its salt, and the peer's
	// SendMKI and ReceiveMKI mark the packets of a key (RFC 3711 section 3.1); empty: nothing does.
	SendMKI, ReceiveMKI []byte
	ClearRTCP           bool // SRTCP is authenticated and not encrypted
}

// Key is a master key and its salt, one after the other. It must not print as what it is.
type Key interface{ Reveal() []byte }

const (
	// replayWindow is how many packets back one may come late, once (RFC 3711 section 3.3.2).
	replayWindow = 64
	// rekeyGrace is how long after a re-INVITE packets of the key before may still be on their way: until the
	// peer has our answer.
	rekeyGrace = 5 * time.Second
	// maxSealed is how much longer a sealed packet is at most, in bytes: tag, SRTCP index, MKI.
	maxSealed = 16 + 4 + 128
)

// profile finds a suite's profile.
func profile(suite string) (srtp.ProtectionProfile, error) {
	switch suite {
	case "AES_CM_128_HMAC_SHA1_80":
		return srtp.ProtectionProfileAes128CmHmacSha1_80, nil
	case "AES_CM_128_HMAC_SHA1_32":
		return srtp.ProtectionProfileAes128CmHmacSha1_32, nil
	case "AES_256_CM_HMAC_SHA1_80":
		return srtp.ProtectionProfileAes256CmHmacSha1_80, nil
	case "AES_256_CM_HMAC_SHA1_32":
		return srtp.ProtectionProfileAes256CmHmacSha1_32, nil
	case "AEAD_AES_128_GCM":
		return srtp.ProtectionProfileAeadAes128Gcm, nil
	case "AEAD_AES_256_GCM":
		return srtp.ProtectionProfileAeadAes256Gcm, nil
	}
	return 0, fmt.Errorf("crypto-suite %q is not known", suite)
}

// context makes one direction.
func (s *SRTP) context(key Key, mki []byte, options ...srtp.ContextOption) (*srtp.Context, error) {
	p, err := profile(s.Suite)
	if err != nil {
		return nil, err
	}
	size, err := p.KeyLen()
	if err != nil {
		return nil, err
	}
	if key == nil || len(key.Reveal()) < size {
		return nil, fmt.Errorf("the key is too short for %s", s.Suite)
	}
	if len(mki) > 0 {
		options = append(options, srtp.MasterKeyIndicator(mki))
	}
	if s.ClearRTCP {
		options = append(options, srtp.SRTCPNoEncryption())
	}
	return srtp.CreateContext(key.Reveal()[:size], key.Reveal()[size:], p, options...)
}

// contexts are both directions before they are in use.
type contexts struct{ send, receive *srtp.Context }

// contexts makes both directions; nil for plain RTP.
func (s *SRTP) contexts() (*contexts, error) {
	if s == nil {
		return nil, nil
	}
	send, err := s.context(s.Send, s.SendMKI)
	if err != nil {
		return nil, err
	}
	receive, err := s.context(s.Receive, s.ReceiveMKI,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, err
	}
	return &contexts{send, receive}, nil
}

// sends reports whether s and t are the same for what we send; receives, for what we receive.
func (s *SRTP) sends(t *SRTP) bool {
	return s.like(t) && (s == nil || bytes.Equal(s.SendMKI, t.SendMKI) && bytes.Equal(s.Send.Reveal(), t.Send.Reveal()))
}

func (s *SRTP) receives(t *SRTP) bool {
	return s.like(t) && (s == nil || bytes.Equal(s.ReceiveMKI, t.ReceiveMKI) && bytes.Equal(s.Receive.Reveal(), t.Receive.Reveal()))
}

func (s *SRTP) like(t *SRTP) bool {
	return s == t || s != nil && t != nil && s.Suite == t.Suite && s.ClearRTCP == t.ClearRTCP
}

// sealer encrypts what we send. Its context counts the packets of every SSRC, and so it stays as long as the key
// does, holds included. It is the outbound's, under its mutex.
type sealer struct {
	context *srtp.Context
	header  rtp.Header
	buf     [maxPacket + maxSealed]byte
}

// rtp seals a packet. What it returns is valid until the next one.
func (s *sealer) rtp(plain []byte) ([]byte, error) {
	return s.context.EncryptRTP(s.buf[:0], plain, &s.header)
}

// rtcp seals a report.
func (s *sealer) rtcp(plain []byte) ([]byte, error) { return s.context.EncryptRTCP(nil, plain, nil) }

// opener authenticates and decrypts what comes. It is the inbound's.
//
// A new key begins to count again (its roll-over counter is 0) for some peers, and goes on counting for others (RFC
// 3711 section 3.3.1 against RFC 4568 section 7.1.4): the first packet that is authentic shows which.
type opener struct {
	context *srtp.Context
	opened  bool // anything, with this key

	before *srtp.Context // of the key before; nil if there was none
	until  time.Duration // when nothing of that is on its way any more

	header  rtp.Header
	buf     [maxPacket]byte
	control [maxPacket]byte // a report may come while sound is still looked at
}

// newOpener begins with a key that takes the place of another, if before is not nil.
func newOpener(c *srtp.Context, before *opener, now time.Duration) *opener {
	o := &opener{context: c}
	if before != nil {
		o.before, o.until = before.context, now+rekeyGrace
	}
	return o
}

// rtp opens a packet of at least 12 bytes; false if it is not authentic, or has come before. What it returns is valid until
// the next one.
func (o *opener) rtp(sealed []byte, now time.Duration) ([]byte, bool) {
	plain, err := o.context.DecryptRTP(o.buf[:0], sealed, &o.header)
	if err == nil {
		o.opened = true
		return plain, true
	}
	if o.before == nil {
		return nil, false
	}
	if now >= o.until {
		o.before = nil
		return nil, false
	}
	if ssrc := o.header.SSRC; !o.opened {
		if roc, ok := o.before.ROC(ssrc); ok && roc > 0 {
			o.context.SetROC(ssrc, roc)
			if plain, err = o.context.DecryptRTP(o.buf[:0], sealed, &o.header); err == nil {
				o.opened = true
				return plain, true
			}
			o.context.SetROC(ssrc, 0)
		}
	}
	plain, err = o.before.DecryptRTP(o.buf[:0], sealed, &o.header)
	return plain, err == nil
}

// rtcp opens a report likewise.
func (o *opener) rtcp(sealed []byte, now time.Duration) ([]byte, bool) {
	if len(sealed) > maxPacket {
		return nil, false
	}
	plain, err := o.context.DecryptRTCP(o.control[:0], sealed, nil)
	if err != nil && o.before != nil && now < o.until {
		plain, err = o.before.DecryptRTCP(o.control[:0], sealed, nil)
	}
	return plain, err == nil
}
