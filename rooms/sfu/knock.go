package sfu

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"passerelle/rooms"
)

// Limits of a waiting room.
const (
	maxKnocks        = 100              // that wait at one room; one more finds it full
	knocksPerAddress = maxKnocks / 2    // of browsers
	waitingTimeout   = 10 * time.Minute // where the room does not say
)

// patience is how long somebody who knocks waits.
func (n Named) patience() time.Duration { return cmp.Or(n.WaitingTimeout, waitingTimeout) }

// knock is somebody at the door of a room, until a moderator has answered, the time is up, or whoever it is goes away.
// It keeps the room open.
type knock struct {
	id, name, kind string
	from           netip.Prefix // of a browser
	since, until   time.Duration
	// told is told once how it ends: nil is let in. Called with room.mu held, it must not block.
	told func(error)
}

// knock puts somebody at the door of a room, which opens if it is not open yet.
func (s *SFU) knock(named Named, k *knock) (*room, error) {
	for {
		r, err := s.enter(named.Name)
		if err != nil {
			return nil, err
		}
		open, err := r.addKnock(named, k)
		if open {
			r.sweep() // if it was full before anybody came
			return r, err
		} // it closed since; another opens
	}
}

// addKnock is knock in a room; open is false if it has closed.
func (r *room) addKnock(named Named, k *knock) (open bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, nil
	}
	neighbours := 0
	for _, other := range r.knocks {
		if k.from.IsValid() && other.from == k.from {
			neighbours++
		}
	}
	if len(r.knocks) >= maxKnocks || neighbours >= knocksPerAddress {
		return true, fmt.Errorf("%d wait already: %w", len(r.knocks), rooms.ErrFull)
	}
	r.lastID++
	k.id = fmt.Sprintf("k%d", r.lastID)
	k.since = r.s.cfg.Clock()
	k.until = k.since + named.patience()
	r.knocks = append(r.knocks, k)
	r.restless = true
	r.s.cfg.Log.Info("somebody knocks", "room", r.name, "id", k.id, "kind", k.kind)
	return true, nil
}

// answer ends a knock. Called with mu held.
func (r *room) answer(k *knock, verdict error) {
	if !slices.Contains(r.knocks, k) {
		return
	}
	r.knocks = slices.DeleteFunc(r.knocks, func(o *knock) bool { return o == k })
	r.restless = true
	k.told(verdict)
	r.s.cfg.Log.Info("a knock was answered", "room", r.name, "id", k.id, "with", verdict)
}

// withdraw takes back the knock of somebody who has gone.
func (r *room) withdraw(k *knock) {
	r.mu.Lock()
	before := len(r.knocks)
	r.knocks = slices.DeleteFunc(r.knocks, func(o *knock) bool { return o == k })
	r.restless = r.restless || len(r.knocks) < before
	r.mu.Unlock()
	r.sweep()
}

// renamed is told what the configuration now says of the room. Where it has no waiting room any more, all who wait come in.
func (r *room) renamed(named Named) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !named.WaitingRoom {
		r.answerKnocks("", true)
	}
	r.restless = true // whether calls out are allowed may have changed too
}

// expireKnocks ends those that nobody has answered in time. Called with mu held.
func (r *room) expireKnocks(now time.Duration) {
	for _, k := range slices.Clone(r.knocks) {
		if now >= k.until {
			r.answer(k, rooms.ErrUnanswered)
		}
	}
}

// pass is how a browser that knocked comes in: by a join of its own, once it was let in.
type pass struct {
	room     *room
	knock    *knock
	admitted atomic.Bool
	lapse    *time.Timer // drops who was let in and does not come; guarded by room.mu, nil until then
}

// end takes the knock back of a browser that has gone, or has come in.
func (p *pass) end() {
	p.room.withdraw(p.knock) // from here on it is told nothing
	if p.lapse != nil {
		p.lapse.Stop()
	}
}

// knockFor lets a browser knock, which is told by its WebSocket what comes of it.
func (s *SFU) knockFor(named Named, name string, from netip.Prefix, sock *socket) (*pass, error) {
	p := &pass{knock: &knock{name: name, kind: "browser", from: from}}
	p.knock.told = func(verdict error) {
		if verdict == nil {
			p.admitted.Store(true)
			p.lapse = time.AfterFunc(joinTimeout, sock.drop)
			sock.send(encode(admittedMessage{Type: "admitted"}))
			return
		}
		code, text := refusal(verdict)
		sock.finish(encode(errorMessage{Type: "error", Code: code, Text: text}), statusRefused)
	}
	sock.send(encode(waitingMessage{Type: "waiting", Seconds: int(named.patience() / time.Second)}))
	var err error
	p.room, err = s.knock(named, p.knock)
	return p, err
}
