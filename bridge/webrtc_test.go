package bridge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

// script is a WebRTC peer that calls as a script in a browser does: it has ICE in full, and a handshake.
type script struct {
	t      *testing.T
	peer   *webrtc.PeerConnection
	track  *webrtc.TrackLocalStaticSample
	ear    telephone // of what comes
	dialog *sip.Dialog
	offer  string
}

// optional encrypts where the peer can.
func optional(l *config.Live) { l.Trunks[0].SRTP.Policy = config.SRTPOptional }

// newScript makes a peer with PCMU.
func (r *rig) newScript() *script {
	r.t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetHandleUndeclaredSSRCWithoutAnswer(true) // our first packet may be there before it is ready for it
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	var codecs webrtc.MediaEngine
	pcmu := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}
	if err := codecs.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: pcmu}, webrtc.RTPCodecTypeAudio); err != nil {
		r.t.Fatal(err)
	}
	peer, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(&codecs)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		r.t.Fatal(err)
	}
	s := &script{t: r.t, peer: peer, ear: telephone{t: r.t}}
	if s.track, err = webrtc.NewTrackLocalStaticSample(pcmu, "voice", "mine"); err != nil {
		r.t.Fatal(err)
	}
	if _, err := peer.AddTrack(s.track); err != nil {
		r.t.Fatal(err)
	}
	var reading sync.WaitGroup
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		reading.Go(func() {
			for {
				p, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				s.ear.PushFrame(&codec.Frame{Kind: codec.PCMU, Payload: p.Payload})
			}
		})
	})
	r.t.Cleanup(func() {
		if err := peer.GracefulClose(); err != nil {
			r.t.Error(err)
		}
		reading.Wait()
	})
	return s
}

// describe makes an offer with every candidate.
func (s *script) describe() string {
	s.t.Helper()
	gathered := webrtc.GatheringCompletePromise(s.peer)
	offer, err := s.peer.CreateOffer(nil)
	if err == nil {
		err = s.peer.SetLocalDescription(offer)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	<-gathered
	return s.peer.LocalDescription().SDP
}

// dial calls with an offer.
func (r *rig) dial(to, offer string) (*sip.Dialog, []byte, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	return r.serve(sip.HandlerFunc(func(context.Context, *sip.Dialog) {})).Dial(ctx, sip.Dial{
		To: "sip:" + to + "@" + r.addr.String(), From: sip.Address{User: "0123456789"}, Offer: []byte(offer),
	})
}

// call dials a room.
func (s *script) call(r *rig, to string) {
	s.t.Helper()
	s.offer = s.describe()
	dialog, answer, err := r.dial(to, s.offer)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dialog = dialog
	s.take(answer)
}

func (s *script) take(answer []byte) {
	s.t.Helper()
	if err := s.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		s.t.Fatalf("%v\n%s", err, answer)
	}
}

// whistle says a tone until the test ends, in syllables.
func (s *script) whistle(hz float64) {
	encoder := encoderOf(s.t, codec.PCMU)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		pcm, payload := make([]int16, 160), make([]byte, 160)
		for at := 0; ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for i := range pcm {
				pcm[i] = syllables(hz, at, 8000)
				at++
			}
			n, err := encoder.Encode(payload, pcm)
			if err == nil {
				err = s.track.WriteSample(media.Sample{Data: payload[:n], Duration: 20 * time.Millisecond})
			}
			if err != nil {
				s.t.Error(err)
				return
			}
		}
	}()
	s.t.Cleanup(func() { close(done); <-ended })
}

// A WebRTC peer and a telephone hear each other; hold and resume go on with the same keys.
func TestScriptAndTelephone(t *testing.T) {
	t.Parallel()
	r := newRig(t, optional)
	s := r.newScript()
	s.call(r, "board")
	phone, err := r.call("board", codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	s.whistle(440)
	phone.whistle(1000)
	s.ear.hears(1000)
	phone.hears(440)
	if stats := r.gateway.Stats(); stats.Encrypted != 1 || stats.Exposed != 1 {
		t.Errorf("%+v", stats)
	}

	for _, direction := range []string{"sendonly", "sendrecv"} {
		offer := strings.Replace(s.offer, "a=sendrecv", "a="+direction, 1)
		answer, err := handshake{r.theCall(s.dialog)}.Answer(t.Context(), []byte(offer))
		if err != nil {
			t.Fatal(err)
		}
		for _, attribute := range []string{"a=ice-pwd:", "a=fingerprint:", "a=setup:active"} {
			if !strings.Contains(string(answer), attribute) {
				t.Errorf("no %s in the answer:\n%s", attribute, answer)
			}
		}
	}
	s.ear.forget()
	phone.forget()
	s.ear.hears(1000)
	phone.hears(440)
}

// A certificate that is not the one of the offer ends the call, and says why.
func TestScriptWithAnotherCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t, optional)
	s := r.newScript()
	offer := s.describe()
	i := strings.Index(offer, "a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
	other, err := rtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	_, digest, _ := strings.Cut(other.Fingerprint(), " ")
	dialog, answer, err := r.dial("board", offer[:i]+digest+offer[i+len(digest):])
	if err != nil {
		t.Fatal(err)
	}
	s.take(answer)
	select {
	case <-dialog.Context().Done():
	case <-time.After(patience):
		t.Fatal("the call stays up")
	}
	if why := context.Cause(dialog.Context()); !errors.Is(why, sip.ErrBye) || !strings.Contains(why.Error(), rtp.ErrFingerprint.Error()) {
		t.Errorf("it ended by %v", why)
	}
	for end := time.Now().Add(patience); !strings.Contains(r.logged.String(), rtp.ErrFingerprint.Error()); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not say so:\n%s", r.logged.String())
		}
	}
}

// Phones without ICE shake hands where the SDP says, whoever begins.
func TestHandshakeWithoutICE(t *testing.T) {
	t.Parallel()
	r := newRig(t, optional)
	identity, err := rtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, setup := range []string{"active", "passive", "actpass"} {
		line, err := rtp.Listen(rtp.Config{Ports: ports})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { line.Close() })
		p := &telephone{t: t, line: line, sess: &sdp.Session{Local: sdp.Local{
			Origin: sdp.Origin{ID: 1, Version: 1}, Address: line.LocalAddr(), Codecs: []codec.Kind{codec.PCMU},
			Security: sdp.Security{Policy: sdp.Required, Exchange: sdp.Handshake, Fingerprint: identity.Fingerprint()},
		}}}
		offer, err := p.sess.Offer()
		if err != nil {
			t.Fatal(err)
		}
		dialog, answer, err := r.dial("board", strings.Replace(string(offer), "setup:actpass", "setup:"+setup, 1))
		if err != nil {
			t.Fatal(err)
		}
		p.dialog = dialog
		if p.media, err = p.sess.ReadAnswer(answer); err != nil {
			t.Fatal(err)
		}
		params := lineParams(p.media, line.LocalAddr().Addr(), netip.Addr{})
		params.DTLS = (&Gateway{Config: Config{Identity: identity}}).shaking(p.media.DTLS)
		if err := line.Negotiate(params); err != nil {
			t.Fatal(err)
		}
		r.run(func(ctx context.Context) error { return line.Run(ctx, p, nil) })
		phone, err := r.call("board", codec.PCMU)
		if err != nil {
			t.Fatal(err)
		}
		stop := phone.whistle(1000)
		p.hears(1000)
		stop()
		p.whistle(440)
		phone.hears(440)
		if err := errors.Join(dialog.Hangup(t.Context(), ""), phone.dialog.Hangup(t.Context(), "")); err != nil {
			t.Error(err)
		}
	}
}
