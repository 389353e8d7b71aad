package sfu

import (
	"context"
	"slices"
	"time"

	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

// moderate does what a browser asks for, if it is a moderator; else it returns why not. Somebody who is not there any
// more has gone at the same moment: that is no refusal. ctx outlives the browser.
func (r *room) moderate(ctx context.Context, b *browser, ask request) (refused string) {
	defer r.sweep()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !b.moderator || !slices.Contains(r.browsers, b) {
		return refuseRole
	}
	r.s.cfg.Log.Info("a moderator acts", "room", r.name, "id", b.id, "act", ask.Act, "on", ask.ID)
	switch ask.Act {
	case actAdmit, actDecline:
		r.answerKnocks(ask.ID, ask.Act == actAdmit)
	case actMute, actUnmute:
		r.muteOthers(ask.ID, ask.Act == actMute)
	case actLower:
		r.lowerHands(ask.ID)
	case actRemove:
		if ask.ID != b.id { // who wants to go says leave
			r.removeOther(ask.ID)
		}
	case actCall:
		return r.call(ctx, ask.Number)
	case actHangup:
		r.hangup(ask.ID)
	}
	return ""
}

// answerKnocks lets one who knocks in or not, or everybody. Called with mu held.
func (r *room) answerKnocks(id string, admit bool) {
	verdict := rooms.ErrDenied
	if admit {
		verdict = nil
	}
	for _, k := range slices.Clone(r.knocks) {
		if id == "" || k.id == id {
			r.answer(k, verdict)
		}
	}
}

// muteOthers mutes or unmutes one, or everybody but moderators. Called with mu held.
func (r *room) muteOthers(id string, muted bool) {
	if id != "" {
		r.muteOther(id, muted)
		return
	}
	for _, s := range r.seats {
		if !s.who.Moderator && !s.who.Muted {
			r.muteOther(s.id, muted)
		}
	}
	for _, b := range r.browsers {
		if !b.moderator && !b.muted {
			r.muteOther(b.id, muted)
		}
	}
}

// muteOther mutes a participant or lets it be heard again, and tells it; false if nobody has that id. Where the room
// says so, who was muted stays so until a moderator changes it; moderators are never kept. Called with mu held.
func (r *room) muteOther(id string, muted bool) bool {
	keep := muted && r.s.describe(r.name).KeepMuted
	for _, s := range r.seats {
		if s.id == id {
			s.held = keep && !s.who.Moderator
			r.setSeatMuted(s, muted)
			kind := rooms.Unmuted
			if muted {
				kind = rooms.Muted
			}
			ready.Queue(s.events, rooms.Event{Kind: kind, Held: s.held})
			return true
		}
	}
	for _, b := range r.browsers {
		if b.id == id {
			b.held = keep && !b.moderator
			r.setBrowserMuted(b, muted)
			if b.socket != nil {
				b.socket.send(encode(mutedMessage{Type: "muted", Muted: muted, Held: b.held}))
			}
			return true
		}
	}
	return false
}

// lowerHands lowers the hand of one, or all hands. Called with mu held.
func (r *room) lowerHands(id string) {
	for _, s := range r.seats {
		if s.hand != 0 && (id == "" || s.id == id) {
			r.raise(&s.hand, false)
			ready.Queue(s.events, rooms.Event{Kind: rooms.Lowered})
		}
	}
	for _, b := range r.browsers {
		if id == "" || b.id == id {
			r.raise(&b.hand, false)
		}
	}
}

// removeOther takes a participant out; false if nobody has that id. Called with mu held.
func (r *room) removeOther(id string) bool {
	for _, s := range r.seats {
		if s.id == id {
			r.loseSeat(s, rooms.ErrRemoved)
			return true
		}
	}
	for _, b := range r.browsers {
		if b.id == id {
			r.removeBrowser(b, endRemoved)
			return true
		}
	}
	return false
}

// tellModerators tells the moderators who knocks, and who is being called. Called with mu held.
func (r *room) tellModerators(now time.Duration) {
	desk := deskMessage{Type: "desk", Knocks: []knockOnPage{}, Calls: []callOnPage{}, Dial: r.s.cfg.MayDial()}
	for _, k := range r.knocks {
		desk.Knocks = append(desk.Knocks, knockOnPage{ID: k.id, Name: k.name, Kind: k.kind, Seconds: int((now - k.since) / time.Second)})
	}
	for _, c := range r.calls {
		if c.state != Answered {
			desk.Calls = append(desk.Calls, callOnPage{ID: c.id, Number: c.number, State: string(c.state)})
		}
	}
	text := encode(desk)
	for _, b := range r.browsers {
		if b.moderator && b.socket != nil {
			b.socket.send(text)
		}
	}
}
