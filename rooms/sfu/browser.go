package sfu

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"github.com/coder/websocket"

	"passerelle/rooms"
)

// keepLost is how long the place of a browser that was lost is kept.
const keepLost = 15 * time.Second

// browser is somebody with a browser in a room. It outlives its WebSocket and its connection: who comes
// back in time brings new ones. Guarded by room.mu, but for what never changes.
type browser struct {
	room   *room
	id     string
	resume string // the secret with which it comes back
	joined time.Duration

	moderator bool // since it came

	name   string
	muted  bool
	held   bool          // muted by a moderator who alone may unmute it
	hand   int           // raised: the lower, the earlier; 0 is not
	socket *socket       // nil while it is lost
	peer   *peer         // nil while there is none
	voice  *voice        // nil while no microphone is heard
	voices int           // that it has had
	lost   time.Duration // since when it is; 0 for never
	stale  bool          // does not know all levels
}

// participant returns b as all others see it.
func (b *browser) participant() rooms.Participant {
	return rooms.Participant{ID: b.id, Name: b.name, Kind: rooms.Browser, Muted: b.muted, Moderator: b.moderator}
}

// admit gives a browser its place, or its old one back, and tells it so.
func (r *room) admit(ask request, name string, moderator bool, sock *socket, p *peer, answer string) (*browser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, rooms.ErrClosed
	}
	b := r.returning(ask.Resume)
	if b == nil {
		if r.full() {
			return nil, rooms.ErrFull
		}
		b = &browser{
			room: r, id: r.newID("", "b"), resume: rand.Text(), joined: r.s.cfg.Clock(), name: name, muted: ask.Muted,
			moderator: moderator,
		}
		r.browsers = append(r.browsers, b)
		r.tell(rooms.Joined, b.participant())
		r.s.cfg.Log.Info("a browser joined", "room", r.name, "id", b.id, "moderator", moderator)
	} else {
		r.replace(b)
		b.name, b.muted = name, ask.Muted || b.held
		r.tell(rooms.Changed, b.participant())
	}
	b.socket, b.peer, b.lost, b.stale = sock, p, 0, true
	p.ear.owner = b
	sock.send(encode(joinedMessage{
		Type: "joined", ID: b.id, Answer: answer, Resume: b.resume, Slots: len(p.ear.slots), Muted: b.muted,
		Moderator: b.moderator, Dial: r.s.ways(r.name),
	}))
	r.restless = r.restless || b.moderator
	return b, nil
}

// returning returns the browser that a resume token belongs to. Called with mu held.
func (r *room) returning(token string) *browser {
	for _, b := range r.browsers {
		if subtle.ConstantTimeCompare([]byte(b.resume), []byte(token)) == 1 {
			return b
		}
	}
	return nil
}

// replace ends what a browser had before it came back. Called with mu held.
func (r *room) replace(b *browser) {
	if b.socket != nil {
		b.socket.finish(encode(endedMessage{Type: "ended", Reason: endReplaced}), websocket.StatusNormalClosure)
	}
	r.dropPeer(b)
}

// dropPeer ends a browser's connection: it is neither heard nor hears. Called with mu held.
func (r *room) dropPeer(b *browser) {
	if b.voice != nil {
		b.voice.end()
		b.voice = nil
	}
	if b.peer != nil {
		r.removeEar(b.peer.ear)
		b.peer.end()
		b.peer = nil
	}
}

// removeBrowser takes a browser out for good. Called with mu held.
func (r *room) removeBrowser(b *browser, reason string) {
	if !slices.Contains(r.browsers, b) {
		return
	}
	r.browsers = slices.DeleteFunc(r.browsers, func(o *browser) bool { return o == b })
	r.dropPeer(b)
	if b.socket != nil {
		b.socket.finish(encode(endedMessage{Type: "ended", Reason: reason}), websocket.StatusNormalClosure)
		b.socket = nil
	}
	r.tell(rooms.Left, b.participant())
	if len(r.browsers) == 0 {
		r.hangupRinging()
	}
	r.s.cfg.Log.Info("a browser left", "room", r.name, "id", b.id, "reason", reason,
		"after", (r.s.cfg.Clock() - b.joined).Round(time.Second))
}

// lose is told that a browser's WebSocket has ended; leave says that it wanted to go.
func (r *room) lose(b *browser, sock *socket, leave bool) {
	r.mu.Lock()
	if b.socket == sock {
		b.socket = nil
		b.markLost()
		r.changed()
		if leave {
			r.removeBrowser(b, endLeft)
		}
	}
	r.mu.Unlock()
	r.sweep()
}

// markLost starts the time that a place is kept. Called with room.mu held.
func (b *browser) markLost() {
	if b.lost == 0 {
		b.lost = max(1, b.room.s.cfg.Clock())
	}
}

// mediaUp is told that a browser's connection stands.
func (r *room) mediaUp(b *browser, p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.peer == p {
		r.addEar(p.ear)
	}
}

// mediaDown is told that a browser's connection has failed or was closed by the browser.
func (r *room) mediaDown(b *browser, p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.peer == p {
		r.dropPeer(b)
		b.markLost()
		r.changed()
	}
}

// addVoice announces the microphone of a connection; nil if the connection is not the browser's any more.
func (r *room) addVoice(b *browser, p *peer) *voice {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.peer != p || b.voice != nil {
		return nil
	}
	b.voices++
	v := &voice{id: fmt.Sprintf("%s.%d", b.id, b.voices), owner: b, room: r}
	v.muted.Store(b.muted)
	b.voice = v
	for _, g := range r.gateways {
		v.tell(g, b.participant())
	}
	return v
}

// endVoice is told that a microphone is not read any more.
func (r *room) endVoice(b *browser, v *voice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v.end()
	if b.voice == v {
		b.voice = nil
	}
}

// setMuted is told that a browser muted or unmuted itself; one that a moderator keeps muted is told so again.
func (r *room) setMuted(b *browser, muted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.held && !muted {
		if b.socket != nil {
			b.socket.send(encode(mutedMessage{Type: "muted", Muted: true, Held: true}))
		}
		return
	}
	r.setBrowserMuted(b, muted)
}

// setHand is told that a browser raised or lowered its hand.
func (r *room) setHand(b *browser, raised bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raise(&b.hand, raised)
}

// raise raises or lowers somebody's hand. Called with mu held.
func (r *room) raise(hand *int, raised bool) {
	if raised == (*hand != 0) {
		return
	}
	*hand = 0
	if raised {
		r.lastHand++
		*hand = r.lastHand
	}
	r.changed()
}

// setBrowserMuted mutes or unmutes a browser for everybody. Called with mu held.
func (r *room) setBrowserMuted(b *browser, muted bool) {
	if b.muted == muted {
		return
	}
	b.muted = muted
	if b.voice != nil {
		b.voice.setMuted(muted)
	}
	r.tell(rooms.Changed, b.participant())
}

// expire removes the browsers whose place was kept for long enough. Called with mu held.
func (r *room) expire(now time.Duration) {
	for _, b := range slices.Clone(r.browsers) {
		if b.lost != 0 && now-b.lost >= keepLost {
			r.removeBrowser(b, endClosed)
		}
	}
}
