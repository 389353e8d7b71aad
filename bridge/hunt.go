package bridge

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"passerelle/sip"
)

// ringTimeout is how long somebody is rung, where nobody says.
const ringTimeout = 60 * time.Second

// errRangOut is why nobody is rung any longer.
var errRangOut = errors.New("nobody answered in time")

// hunt is the search for one who answers. The devices of somebody ring together; each is tried on one way after the other,
// until one leads there. A trunk is one device: its servers are ways, and so are those of the trunks after it.
type hunt struct {
	gateway *Gateway
	devices [][]target
	leg     func(target) *call      // that is to be placed
	cancel  context.CancelCauseFunc // ends the call that is made
	to      audience                // of every leg, from several goroutines where there are several devices
}

// run returns the leg that was answered first; the others ring no more.
func (h *hunt) run(ctx context.Context) (answered *call, err error) {
	ctx, stop := context.WithTimeoutCause(ctx, cmp.Or(h.gateway.RingTime, ringTimeout), errRangOut)
	defer stop()
	type outcome struct {
		leg *call
		err error
	}
	outcomes := make(chan outcome, len(h.devices))
	var ringing sync.WaitGroup
	for _, ways := range h.devices {
		ringing.Go(func() {
			o := outcome{err: errors.New("panic")} // if it does not come to an end
			defer func() {
				if r := recover(); r != nil {
					h.gateway.Log.Error("panic", "in", "ring", "panic", r)
				}
				outcomes <- o
			}()
			o.leg, o.err = h.device(ctx, ways)
		})
	}
	for range h.devices {
		o := <-outcomes
		switch {
		case o.err == nil && answered == nil:
			answered = o.leg
			stop()
		case o.err == nil: // two were answered at once
			tell(h.to.gone, o.leg)
			o.leg.drop(ctx, "answered elsewhere")
		case err == nil || errors.As(o.err, new(*sip.StatusError)):
			err = o.err
		}
	}
	ringing.Wait()
	if answered != nil {
		return answered, nil
	}
	return nil, because(ctx, err)
}

// device tries the ways to one device.
func (h *hunt) device(ctx context.Context, ways []target) (leg *call, err error) {
	err = refuse(480, "there is no way to it")
	for _, way := range ways {
		if h.to.calls != nil {
			h.to.calls(way)
		}
		rang := false
		to := h.to
		to.rings = func(leg *call, code int, reason string) {
			rang = rang || code == ringsThere
			if h.to.rings != nil {
				h.to.rings(leg, code, reason)
			}
		}
		leg = h.leg(way)
		err = leg.launch(ctx, way, h.cancel, to)
		if err == nil || ctx.Err() != nil || rang || !elsewhere(err) {
			return leg, err
		}
		leg.log.Info("a way out leads nowhere", "trunk", way.trunk.Name, "reason", err)
	}
	return nil, err
}

// elsewhere reports whether a call that failed so is to be tried on another way: where the way is in trouble, and not where
// somebody there has said no.
func elsewhere(err error) bool {
	var tried *sip.TargetsError
	var status *sip.StatusError
	if errors.As(err, &tried) || !errors.As(err, &status) {
		return true
	}
	return status.Code == 408 || status.Code >= 500 && status.Code < 600
}
