package sfu

import (
	"slices"
	"time"

	"passerelle/codec"
)

// announceInterval is how often browsers are told who is there and who speaks, at most.
const announceInterval = 100 * time.Millisecond

// levelStep is how much a level must differ, in dB, to be told anew.
const levelStep = 3

// announce is the goroutine that tells the browsers of all rooms what has changed.
func (s *SFU) announce() {
	tick := time.NewTicker(announceInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		for _, r := range s.allRooms() {
			s.announceIn(r)
		}
	}
}

func (s *SFU) announceIn(r *room) {
	defer s.recovered("a room's announcements", func() { s.endRoom(r) })
	if r.announce(s.cfg.Clock()) {
		r.sweep()
	}
}

// announce tells what has changed in one room, and says whether anybody was removed from it.
func (r *room) announce(now time.Duration) (removed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.browsers) + len(r.knocks) + len(r.calls)
	r.expire(now)
	r.expireKnocks(now)
	r.forgetCalls(now)
	removed = len(r.browsers)+len(r.knocks)+len(r.calls) < before
	levels := r.newLevels(now)
	if len(r.browsers) == 0 {
		return removed
	}
	if r.restless {
		r.restless = false
		r.tellModerators(now)
	}
	if r.dirty {
		r.dirty = false
		r.broadcast(encode(rosterMessage{Type: "roster", People: r.roster()}))
	}
	if len(levels) > 0 {
		r.sendLevels(levels)
	}
	return removed
}

// roster returns everybody as the page shows them. Called with mu held.
func (r *room) roster() []personOnPage {
	all := make([]personOnPage, 0, len(r.browsers)+len(r.seats))
	for _, b := range r.browsers {
		p := onPage(b.participant())
		p.Lost, p.Hand = b.lost != 0, b.hand
		all = append(all, p)
	}
	for _, s := range r.seats {
		p := onPage(s.who)
		p.Hand = s.hand
		all = append(all, p)
	}
	rankHands(all)
	return all
}

// rankHands numbers the raised hands from 1: who was the first to ask.
func rankHands(all []personOnPage) {
	var raised []*personOnPage
	for i := range all {
		if all[i].Hand != 0 {
			raised = append(raised, &all[i])
		}
	}
	slices.SortFunc(raised, func(a, b *personOnPage) int { return a.Hand - b.Hand })
	for i, p := range raised {
		p.Hand = i + 1
	}
}

// newLevels returns the levels that differ from those told before. Called with mu held.
func (r *room) newLevels(now time.Duration) map[string]uint8 {
	var levels map[string]uint8
	note := func(id string, v *voice) {
		level, told := codec.Silence, codec.Silence
		if v != nil {
			var ok bool
			if level, ok = v.meter.take(now); !ok {
				return
			}
		}
		if before, ok := r.levels[id]; ok {
			told = before
		}
		if !differs(level, told) {
			return
		}
		if levels == nil {
			levels = make(map[string]uint8)
		}
		levels[id], r.levels[id] = level, level
	}
	for _, b := range r.browsers {
		note(b.id, b.voice)
	}
	for _, s := range r.seats {
		note(s.id, s.voice)
	}
	return levels
}

// differs says whether a level is worth telling.
func differs(level, told uint8) bool {
	if (level == codec.Silence) != (told == codec.Silence) {
		return true
	}
	d := int(level) - int(told)
	return d >= levelStep || d <= -levelStep
}

// sendLevels sends changed levels to the browsers that keep up. Whoever missed some, or came since, is
// told them all. Called with mu held.
func (r *room) sendLevels(changed map[string]uint8) {
	var some, all []byte
	for _, b := range r.browsers {
		switch {
		case b.socket == nil || b.socket.lags():
			b.stale = true
		case b.stale:
			if all == nil {
				all = encode(levelsMessage{Type: "levels", Levels: r.levels})
			}
			b.stale = false
			b.socket.send(all)
		default:
			if some == nil {
				some = encode(levelsMessage{Type: "levels", Levels: changed})
			}
			b.socket.send(some)
		}
	}
}
