package sdp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// FuzzCrypto holds that what is read of a crypto attribute is all there is to it: written and read again it is the same.
func FuzzCrypto(f *testing.F) {
	key := strings.Repeat("QUJD", 10)
	for _, seed := range []string{
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key,
		"1 AES_CM_128_HMAC_SHA1_32 inline:" + key + "|2^31|1:1 UNENCRYPTED_SRTCP WSH=64 -X",
		"0 AES_CM_128_HMAC_SHA1_80 inline:" + key + "|1048576|18446744073709551615:128",
		"5 AES_256_CM_HMAC_SHA1_80 inline:" + strings.Repeat("QUJD", 15) + "QQ==",
		"7 AES_CM_256_HMAC_SHA1_32 inline:" + strings.Repeat("QUJD", 15) + "QQ",
		"9 AEAD_AES_128_GCM inline:" + strings.Repeat("QUJD", 9) + "QQ==|3:2",
		"9 AEAD_AES_256_GCM inline:" + strings.Repeat("QUJD", 14) + "QUI=",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key + "|2^20|1:4;inline:" + key + "|2^20|2:4",
		"1 F8_128_HMAC_SHA1_80 inline:" + key + " KDR=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := parseCrypto(value)
		if !ok {
			return
		}
		if len(c.key.Reveal()) != c.suite.keySize() || c.suite.keySize() == 0 || len(c.mki) > maxMKI {
			t.Fatalf("%d bytes of key for %s, %d of MKI", len(c.key.Reveal()), c.suite, len(c.mki))
		}
		again, ok := parseCrypto(c.wire())
		same := again.tag == c.tag && again.name == c.name && again.suite == c.suite && again.clearRTCP == c.clearRTCP &&
			bytes.Equal(again.mki, c.mki) && bytes.Equal(again.key.Reveal(), c.key.Reveal())
		if !ok || !same {
			t.Fatalf("%q is read as %q, and that as %q (%v)", value, c.wire(), again.wire(), ok)
		}
		if strings.ContainsAny(c.wire(), "\r\n") {
			t.Fatalf("%q has more than one line", c.wire())
		}
	})
}

func TestKeysArePrintedNowhere(t *testing.T) {
	canary := []byte("canary canary canary canary...")
	c := Crypto{Suite: AES128CM80, Ours: newKey(canary), Theirs: newKey(canary)}
	media := Media{Crypto: &c}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, c, &c, media, c.line())
	}
	json.NewEncoder(&out).Encode(c)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "crypto", c, "key", c.Ours, "media", media)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "crypto", c, "key", c.Ours, "media", media)
	for _, leak := range []string{"canary", "63616e617279", "[99 97 110", "0x63, 0x61", "Y2FuYXJ5"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in %s", leak, out.String())
		}
	}
}

// cryptoOffer is an offer with one key, all of one letter.
func cryptoOffer(suite Suite, letter string) []byte {
	key := newKey(bytes.Repeat([]byte(letter), suite.keySize()))
	return crlf("v=0\no=- 1 1 IN IP4 203.0.113.10\ns=-\nc=IN IP4 203.0.113.10\nt=0 0\nm=audio 4000 RTP/SAVP 0\na=crypto:" +
		cryptoLine{tag: "1", name: string(suite), suite: suite, key: key}.wire() + "\n")
}

func TestKeysInARenewedOffer(t *testing.T) {
	s := Session{Local: newLocal("198.51.100.7:20000")}
	s.Local.Security.Policy = Required
	answer := func(offer []byte) *Crypto {
		t.Helper()
		_, media, err := s.Answer(offer)
		if err != nil {
			t.Fatal(err)
		}
		return media.Crypto
	}
	same := func(a, b Key) bool { return bytes.Equal(a.Reveal(), b.Reveal()) }
	first := answer(cryptoOffer(AES128CM80, "a"))
	if same(first.Ours, first.Theirs) || len(first.Ours.Reveal()) != 30 {
		t.Error("our key is none of our own")
	}
	if again := answer(cryptoOffer(AES128CM80, "a")); !same(again.Ours, first.Ours) {
		t.Error("the peer keeps its key, and we have a new one")
	}
	second := answer(cryptoOffer(AES128CM80, "b"))
	if same(second.Ours, first.Ours) {
		t.Error("the peer has a new key, and we keep ours")
	}
	third := answer(cryptoOffer(AES128CM32, "b"))
	if same(third.Ours, second.Ours) {
		t.Error("one key for two suites")
	}
	version := s.Local.Origin.Version
	if _, _, err := s.Answer(crlf("v=0\no=- 1 1 IN IP4 203.0.113.10\ns=-\nc=IN IP4 203.0.113.10\nt=0 0\nm=audio 4000 RTP/AVP 0\n")); err == nil {
		t.Error("the peer leaves encryption, and may")
	}
	// What we offer then is what was agreed on: the same suite, the same key, on the same kind of line.
	offer, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(offer); strings.Count(text, "a=crypto:") != 1 || !strings.Contains(text, "RTP/SAVP") || !strings.Contains(text, third.line().wire()) {
		t.Errorf("we offer\n%s", text)
	}
	media, err := s.ReadAnswer(cryptoOffer(AES128CM32, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if !same(media.Crypto.Ours, third.Ours) || !same(media.Crypto.Theirs, third.Theirs) {
		t.Error("the keys changed in our own offer")
	}
	if _, err := s.Offer(); err != nil || s.Local.Origin.Version != version+1 {
		t.Errorf("version %d after %d, %v: the same offer twice is one version", s.Local.Origin.Version, version, err)
	}
}

func TestPlainDialogIsOfferedPlain(t *testing.T) {
	s := Session{Local: newLocal("198.51.100.7:20000")}
	s.Local.Security.Policy = Optional
	if _, _, err := s.Answer(crlf("v=0\no=- 1 1 IN IP4 203.0.113.10\ns=-\nc=IN IP4 203.0.113.10\nt=0 0\nm=audio 4000 RTP/AVP 0\n")); err != nil {
		t.Fatal(err)
	}
	if offer, err := s.Offer(); err != nil || bytes.Contains(offer, []byte("crypto")) {
		t.Errorf("we offer\n%s (%v)", offer, err)
	}
}
