//go:build peers

package peers

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecurePhones has phones that encrypt, each alone with a plain one in a room: over TLS, with SRTP, and both; with keys in
// the SDP and with those of a handshake, on one port and on two.
func TestSecurePhones(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{TLS: true})
	t.Run("calls", func(t *testing.T) {
		for name, c := range map[string]PhoneConfig{
			"tls":     {Transport: "tls"},
			"udpsrtp": {SRTP: true},
			"tcpsrtp": {Transport: "tcp", SRTP: true},
			"tlssrtp": {Transport: "tls", SRTP: true},
			"udpdtls": {DTLS: true, Mux: true},
			"tlsdtls": {Transport: "tls", DTLS: true},
		} {
			t.Run(name, func(t *testing.T) { secureCall(t, gateway, name, c) })
		}
	})
	counters := gateway.Counters(t).Gateway
	if counters.Answered != 12 || counters.Encrypted != 5 || counters.Exposed != 3 || counters.Media.Dropped != 0 {
		t.Errorf("got %+v, want twelve calls, five encrypted, and the keys of three of them exposed", counters)
	}
}

// secureCall has a phone that encrypts and one that does not hear each other.
func secureCall(t *testing.T, gateway *Gateway, name string, config PhoneConfig) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 1, 0), Says(t, dir, Woman, 1, 0)
	config.Name, config.Microphone, config.Authority = "ada", woman.WAV(8000), filepath.Join(gateway.dir, "gateway.crt")
	ada := StartPhone(t, dir, config)
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.WAV(8000)})
	ada.Dial(t, gateway.URI("room-"+name, config.Transport))
	bob.Dial(t, gateway.URI("room-"+name, "udp"))
	ada.AwaitTalking(t, 5*time.Second)
	bob.AwaitTalking(t, 5*time.Second)
	time.Sleep(max(man.Length(t), woman.Length(t)) + time.Second)
	ada.Hangup(t)
	bob.Hangup(t)
	ada.Quit(t)
	bob.Quit(t)
	Listen(t, "ada", ada.Heard(t)).HearsOnce(t, man, OverG711())
	Listen(t, "bob", bob.Heard(t)).HearsOnce(t, woman, OverG711())
}

// TestSecrecyIsRequired has a trunk that takes nothing in clear refuse a phone that would talk so, and take one that
// encrypts.
func TestSecrecyIsRequired(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{SRTP: "required"})
	woman := Says(t, dir, Woman, 0, 0)
	plain := StartPhone(t, dir, PhoneConfig{Name: "plain", Microphone: woman.WAV(8000)})
	plain.Dial(t, gateway.URI("room-secret", "udp"))
	if why := plain.AwaitClosed(t, 5*time.Second); !strings.HasPrefix(why, "488 ") {
		t.Errorf("the phone says %q, want 488", why)
	}
	sealed := StartPhone(t, dir, PhoneConfig{Name: "sealed", Microphone: woman.WAV(8000), SRTP: true})
	sealed.Dial(t, gateway.URI("room-secret", "udp"))
	sealed.AwaitTalking(t, 5*time.Second)
	sealed.Hangup(t)
	sealed.Quit(t)
	plain.Quit(t)
	if counters := gateway.Counters(t).Gateway; counters.Encrypted != 1 || counters.Exposed != 1 || counters.Refused != 1 {
		t.Errorf("got %+v, want one call encrypted, its keys exposed, and one refused", counters)
	}
}
