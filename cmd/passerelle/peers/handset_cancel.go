package peers

import (
	"context"
	"fmt"
	"time"
)

// Outcomes of a call whose caller has changed his mind.
const (
	Cancelled = "cancelled" // 487: nobody was in the room
	Crossed   = "crossed"   // the 200 was on its way: there was a call, and a BYE
)

// CallAndCancel calls, changes its mind after a while, and sees it through: whichever of CANCEL and 200
// comes first, in the end there is no call (RFC 3261 sections 9.1 and 15.1.1).
func (h *Handset) CallAndCancel(ctx context.Context, after time.Duration) (outcome string, err error) {
	invited, cancelled := h.expect("1 INVITE"), h.expect("1 CANCEL")
	h.mu.Lock()
	h.cseq = 1
	h.mu.Unlock()
	branch := randomID()
	invite, cancel := h.request("INVITE", 1, branch, h.offer()), h.request("CANCEL", 1, branch, nil)
	h.send(invite)
	time.Sleep(after)
	h.send(cancel)

	var final, answer sipMessage
	for final.Status == 0 || answer.Status == 0 {
		select {
		case m := <-invited:
			if m.Status >= 200 {
				final = m
			}
		case answer = <-cancelled:
		case <-ctx.Done():
			return "", fmt.Errorf("call and cancel: %w; INVITE is answered %q, CANCEL %q", context.Cause(ctx), final.Start, answer.Start)
		}
	}
	if answer.Status != 200 && answer.Status != 481 {
		return "", fmt.Errorf("CANCEL is answered %q", answer.Start)
	}
	h.learn(final)
	switch final.Status {
	case 487:
		h.send(h.request("ACK", 1, branch, nil))
		return Cancelled, nil
	case 200:
		h.send(h.request("ACK", 1, randomID(), nil))
		return Crossed, h.Hangup(ctx)
	}
	return "", fmt.Errorf("call and cancel: INVITE is answered %q", final.Start)
}

// expect returns where the answers to a request go.
func (h *Handset) expect(cseq string) <-chan sipMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	answers := make(chan sipMessage, 16)
	h.waiting[cseq] = answers
	return answers
}
