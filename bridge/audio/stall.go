package audio

import "time"

// When a shard wakes a tick late or more, most likely the whole machine stood still: what has come meanwhile waits in
// sockets, and those who read them are woken as the shard is, in no order.

// giveWayStep is how often the shard looks whether the others have done what they have to.
const giveWayStep = time.Millisecond

// stall is a time in which this machine stood still: what was read in it, or soon after, may have come at any time since
// it began.
type stall struct{ since, until time.Duration }

// excuse returns how much earlier than it was read a packet may have come.
func (s stall) excuse(read time.Duration) time.Duration {
	if read < s.since || read > s.until {
		return 0
	}
	return read - s.since
}

// overslept says whether the shard wakes from a stall, for tick n.
func (s *shard) overslept(n int64, now time.Duration) bool {
	was := s.behind
	s.behind = now-s.due(n) >= tickLength
	return s.behind && !was
}

// giveWay lets the others go first after a stall, for a tick at most: what the ticks want that are due is to be in the
// rings, or each of them would be silent, or made up.
func (s *shard) giveWay(n int64, timer *time.Timer) {
	since, now := s.due(n), s.engine.clock()
	for last := now + tickLength; now < last; now = s.engine.clock() {
		if s.hasFor(min(int((now-since)/tickLength), catchUp) + 1) {
			break
		}
		timer.Reset(giveWayStep)
		<-timer.C
	}
	s.stall = stall{since: since, until: now + tickLength}
}

// hasFor says whether every voice that is heard has enough for so many ticks.
func (s *shard) hasFor(ticks int) bool {
	for _, m := range s.mixes {
		if !m.hasFor(ticks) {
			return false
		}
	}
	return true
}
