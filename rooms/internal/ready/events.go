package ready

import "passerelle/rooms"

// EventsKept is how many events a seat keeps that nobody has read yet.
const EventsKept = 8

// Queue queues what a room asks of a phone. Of events about muting only the last stays, and of all only the newest
// that the channel holds. It does not wait; one goroutine at a time may queue.
func Queue(events chan rooms.Event, e rooms.Event) {
	var waiting []rooms.Event
	for len(events) > 0 {
		select {
		case old := <-events:
			if !aboutMute(old) || !aboutMute(e) {
				waiting = append(waiting, old)
			}
		default: // the phone took it first
		}
	}
	waiting = append(waiting, e)
	for _, e := range waiting[max(0, len(waiting)-cap(events)):] {
		events <- e
	}
}

func aboutMute(e rooms.Event) bool { return e.Kind == rooms.Muted || e.Kind == rooms.Unmuted }
