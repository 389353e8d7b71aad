package ivr

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// run is a menu in the world: one goroutine, and one more while a PIN is being looked up.
type run struct {
	dialogue dialogue
	player   player
	keys     <-chan rune
	find     func(ctx context.Context, pin string) error
	answers  chan error // of find

	looking bool
	failure error       // find's, where it could not tell
	late    *time.Timer // the state's patience
}

// all is the menu from its first word to its last.
func (r *run) all(ctx context.Context, first string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		r.player.stop()
		if r.looking {
			<-r.answers
		}
	}()
	r.late = time.NewTimer(allInAll)
	defer r.late.Stop()
	enough := time.NewTimer(allInAll)
	defer enough.Stop()

	r.obey(ctx, r.dialogue.begin(first))
	for !r.dialogue.state.ended() {
		var o orders
		select {
		case <-ctx.Done():
			return ctx.Err()
		case key, open := <-r.keys:
			if !open {
				r.keys = nil
				continue
			}
			o = r.dialogue.press(key)
		case <-r.player.done():
			if r.player.next() {
				continue
			}
			o = r.dialogue.allSaid()
		case err := <-r.answers:
			r.looking = false
			o = r.answered(err)
		case <-r.late.C:
			o = r.dialogue.tooLate()
		case <-enough.C:
			o = r.dialogue.enough()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.obey(ctx, o)
	}
	switch {
	case r.dialogue.state == admitted:
		return nil
	case r.failure != nil:
		return fmt.Errorf("look the PIN up: %w", r.failure)
	}
	return ErrGaveUp
}

// obey does what the dialogue orders.
func (r *run) obey(ctx context.Context, o orders) {
	if o.stop {
		r.player.stop()
	}
	r.player.say(o.say)
	if o.music {
		r.player.music()
	}
	if o.lookUp != "" {
		r.looking = true
		go r.lookUp(ctx, o.lookUp)
	}
	if o.moved {
		r.late.Stop()
		if patience := r.dialogue.state.patience(); patience > 0 {
			r.late.Reset(patience)
		}
	}
}

// lookUp ends when find returns; all waits for its answer.
func (r *run) lookUp(ctx context.Context, pin string) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		r.answers <- err
	}()
	err = r.find(ctx, pin)
}

// answered takes find's answer.
func (r *run) answered(err error) orders {
	if err != nil && !errors.Is(err, ErrUnknown) {
		r.failure = err
	}
	return r.dialogue.found(err)
}
