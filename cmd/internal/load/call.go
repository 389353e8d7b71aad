package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"passerelle/cmd/internal/chorus"
	"passerelle/codec"
	"passerelle/sip"
	"passerelle/sip/sdp"
)

// Call is one call of a run, and what became of it.
type Call struct {
	N        int     `json:"n"` // from 1
	Room     string  `json:"room"`
	Began    float64 `json:"began_s"`              // since the run began
	Ringing  float64 `json:"ringing_ms,omitempty"` // from the INVITE to the 180; 0 without one
	SetUp    float64 `json:"set_up_ms,omitempty"`  // from the INVITE to the 200
	Answered bool    `json:"answered"`
	Error    string  `json:"error,omitempty"`
	Lasted   float64 `json:"lasted_s,omitempty"`

	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Missing  int     `json:"missing"`
	Late     int     `json:"out_of_order"`
	Twice    int     `json:"duplicate"`
	Jumps    int     `json:"timestamp_jumps"`
	Gaps     int     `json:"gaps_above_60_ms"`
	Longest  float64 `json:"longest_gap_ms"`
	Reported int     `json:"lost_by_gateway"` // of what we sent, as its RTCP says
	Jitter   float64 `json:"jitter_ms"`
	Buffer   float64 `json:"buffer_ms"` // of a listener, the best in hindsight
	R        float64 `json:"r"`
	MOS      float64 `json:"mos"`

	book  chorus.Book
	clean bool
}

// errTimeUp ends a call that has lasted.
var errTimeUp = errors.New("the call has lasted")

// serve makes one call and keeps its record. It ends when ctx does, when the call has lasted, or when the gateway hangs
// up, which is a failure.
func (r *run) serve(ctx context.Context, n int) {
	c := &Call{N: n + 1, Room: r.Room(n), Began: time.Since(r.began).Seconds()}
	defer r.record(c)
	line, dialog, err := r.dial(ctx, n, c)
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
			c.Error = err.Error()
		}
		return
	}
	c.Answered = true
	line.Room, line.Listen, line.Counted = c.Room, r.listens(n), r.Hold > 0
	voice := r.chorus.Add(line)
	up := time.Now()
	r.join(voice, c)

	talking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if r.Hold > 0 {
		defer time.AfterFunc(r.Hold, func() { stop(errTimeUp) }).Stop()
	}
	if dialog != nil {
		defer context.AfterFunc(dialog.Context(), func() { stop(context.Cause(dialog.Context())) })()
	}
	<-talking.Done()
	c.Lasted = time.Since(up).Seconds()
	r.leave(voice, c)
	if err := context.Cause(talking); ctx.Err() == nil && !errors.Is(err, errTimeUp) {
		c.Error = fmt.Sprintf("after %.1f s: %v", c.Lasted, err)
		return
	}
	if dialog == nil {
		return
	}
	r.closing <- struct{}{}
	defer func() { <-r.closing }()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := dialog.Hangup(closing, ""); err != nil {
		c.Error = fmt.Sprintf("hang up: %v", err)
	}
}

// Room returns the room of a call.
func (r *run) Room(n int) string { return r.room(n) }

// dial brings a call up. Without SIP there is nothing to do.
func (r *run) dial(ctx context.Context, n int, c *Call) (line chorus.Line, dialog *sip.Dialog, err error) {
	if r.Direct.IsValid() {
		at := netip.AddrPortFrom(r.Direct.Addr(), r.Direct.Port()+uint16(2*n))
		return chorus.Line{Remote: at, RTCP: netip.AddrPortFrom(at.Addr(), at.Port()+1), PayloadType: payloadType(r.Kind)}, nil, nil
	}
	rtp, rtcp := r.chorus.Addrs()
	session := sdp.Session{Local: sdp.Local{
		Origin:  sdp.Origin{ID: rand.Uint64N(1 << 31), Version: 1},
		Address: rtp, RTCP: rtcp, Codecs: []codec.Kind{r.Kind}, PTime: 20 * time.Millisecond,
	}}
	offer, err := session.Offer()
	if err != nil {
		return line, nil, err
	}
	invited := time.Now()
	dialog, answer, err := r.phones[n%len(r.phones)].Dial(ctx, sip.Dial{
		To: r.uri(n), From: sip.Address{User: fmt.Sprintf("load-%d", n+1)}, Offer: offer,
		Provisional: func(code int, _ string, _ []byte) {
			if code == 180 && c.Ringing == 0 {
				c.Ringing = millis(time.Since(invited))
			}
		},
	})
	if err != nil {
		return line, nil, err
	}
	c.SetUp = millis(time.Since(invited))
	media, err := session.ReadAnswer(answer)
	if err != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return line, nil, errors.Join(fmt.Errorf("the answer: %w", err), dialog.Hangup(closing, ""))
	}
	return chorus.Line{Remote: media.Remote, RTCP: media.RemoteRTCP, PayloadType: media.PayloadType}, dialog, nil
}

// payloadType is the static one (RFC 3551 table 4).
func payloadType(kind codec.Kind) uint8 {
	switch kind {
	case codec.PCMA:
		return 8
	case codec.G722:
		return 9
	}
	return 0
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
