package sfu

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"passerelle/rooms"
)

// How fast a browser may and must speak.
const (
	joinTimeout  = 3 * time.Minute // to type a name and a password
	messageRate  = 5               // a second
	messageBurst = 20
	joinTries    = 5 // joins on one WebSocket that may be refused
)

// statusRefused closes the WebSocket of a browser that was told why.
const statusRefused = websocket.StatusPolicyViolation

// session is one WebSocket, from its opening to its end.
//
//	serveSocket: 1. is it ours, is there room for one more  2. say what the room asks for
//	             3. join  4. listen until it ends  5. tell the room
type session struct {
	s     *SFU
	from  netip.Prefix
	conn  *websocket.Conn
	sock  *socket
	named Named
	limit *rate.Limiter

	browser *browser // nil until joined
	pass    *pass    // nil unless it has knocked
}

// serveSocket is the goroutine of one WebSocket.
func (s *SFU) serveSocket(w http.ResponseWriter, r *http.Request) {
	from := address(r.RemoteAddr)
	switch {
	case !s.origin.allows(r):
		s.cfg.Log.Info("a WebSocket from another page was refused; is http.public_url right?",
			"origin", r.Header.Get("Origin"), "host", r.Host)
		http.Error(w, "this WebSocket is for the page of this server", http.StatusForbidden)
		return
	case !s.guests.enter(from):
		http.Error(w, "too many connections", http.StatusTooManyRequests)
		return
	}
	defer s.guests.leave(from)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin is checked
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(maxMessage)
	sock, ctx := newSocket(r.Context(), conn)
	if !s.addSocket(sock) {
		_ = conn.Close(websocket.StatusGoingAway, "")
		return
	}
	defer s.removeSocket(sock)
	name := r.URL.Query().Get("room")
	c := &session{s: s, from: from, conn: conn, sock: sock, limit: rate.NewLimiter(messageRate, messageBurst),
		named: s.describe(name)}
	c.run(ctx)
}

// describe returns what is known of a room, whether it is open or not.
func (s *SFU) describe(name string) Named {
	if named, ok := s.doors.Load().named[key(name)]; ok {
		return named
	}
	return Named{Name: name}
}

// addSocket counts a WebSocket; false if the SFU is closed.
func (s *SFU) addSocket(sock *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sockets[sock] = struct{}{}
	s.work.Add(1)
	return true
}

func (s *SFU) removeSocket(sock *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, sock)
	s.work.Done()
}

// finishSockets ends every WebSocket.
func (s *SFU) finishSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sock := range s.sockets {
		sock.finish(encode(endedMessage{Type: "ended", Reason: endShutdown}), websocket.StatusGoingAway)
	}
}

// run is the session. It returns when the WebSocket is closed and nobody writes to it any more.
func (c *session) run(ctx context.Context) {
	var writers sync.WaitGroup
	defer writers.Wait()
	defer c.sock.drop()
	defer c.s.recovered("a WebSocket", c.sock.drop)
	writers.Go(func() {
		defer c.s.recovered("a WebSocket's writer", c.sock.drop)
		c.sock.write(ctx)
	})
	writers.Go(func() {
		defer c.s.recovered("a WebSocket's ping", c.sock.drop)
		c.sock.ping(ctx)
	})
	c.sock.send(encode(roomMessage{Type: "room", Name: c.named.Name, Password: c.named.Password != "", Slots: c.s.cfg.Slots,
		Moderator: c.named.Moderator != "", Waiting: c.named.WaitingRoom}))
	if c.join(ctx) {
		leave := c.listen(ctx)
		c.browser.room.lose(c.browser, c.sock, leave)
	}
	c.sock.finish(nil, websocket.StatusNormalClosure) // unless it was finished already
	for {
		if _, _, err := c.conn.Read(ctx); err != nil { // until the browser has said goodbye, or the time for it is up
			break
		}
	}
	<-ctx.Done()
}

// read returns the next message.
func (c *session) read(ctx context.Context) (request, error) {
	kind, text, err := c.conn.Read(ctx)
	if err != nil {
		return request{}, err
	}
	if !c.limit.Allow() {
		return request{}, errFlood
	}
	if kind != websocket.MessageText {
		return request{}, errMessage
	}
	return parseRequest(text)
}

// join reads messages until the browser has joined. A wrong password or name may be tried again.
func (c *session) join(ctx context.Context) bool {
	defer c.stopWaiting()
	for range joinTries {
		ask, err := c.readJoin(ctx)
		if err != nil {
			c.protest(err)
			return false
		}
		if ask.Type == sayLeave && c.pass != nil {
			return false
		}
		if ask.Type != sayJoin {
			c.refuse(refuseMessage, "join first")
			return false
		}
		if again := c.tryJoin(ctx, ask); !again {
			return c.browser != nil
		}
	}
	c.refuse(refuseTries, "too many tries")
	return false
}

// readJoin reads one message. Who waits at the door has the time that the room gives; all others have joinTimeout.
func (c *session) readJoin(ctx context.Context) (request, error) {
	if c.pass == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, joinTimeout)
		defer cancel()
	}
	return c.read(ctx)
}

// stopWaiting ends the time at the door, if there was any.
func (c *session) stopWaiting() {
	if c.pass != nil {
		c.pass.end()
	}
}

// tryJoin lets the browser in, or tells it why not; again says that it may ask again, or has to.
func (c *session) tryJoin(ctx context.Context, ask request) (again bool) {
	moderator, refused := c.identify(ask)
	if refused != "" {
		return refused != refuseTries
	}
	name, ok := cleanName(ask.Name)
	if !ok {
		c.say(refuseName, "the name is empty or too long")
		return true
	}
	switch {
	case moderator || !c.named.WaitingRoom || c.s.isBack(c.named.Name, ask.Resume):
	case c.pass == nil:
		return c.wait(name)
	case !c.pass.admitted.Load():
		c.refuse(refuseMessage, "wait to be let in")
		return false
	default:
		name = c.pass.knock.name // it was let in by that name
	}
	c.admit(ctx, ask, name, moderator)
	return false
}

// identify checks the passwords: the moderator's, which opens everything, or the room's. It tells the browser what it
// returns.
func (c *session) identify(ask request) (moderator bool, refused string) {
	wanted, given, refused, text := c.named.Password, ask.Password, refusePassword, "the password is wrong"
	if ask.Moderator != "" {
		wanted, given, refused, text = c.named.Moderator, ask.Moderator, refuseModerator, "the moderator's password is wrong"
	} else if wanted == "" {
		return false, ""
	}
	switch {
	case !c.s.guests.mayTry(c.from):
		c.refuse(refuseTries, "too many wrong passwords; wait a while")
		return false, refuseTries
	case wanted == "" || !same(wanted, given): // a room without moderators has no such password
		c.s.guests.wrong(c.from)
		c.say(refused, text)
		return false, refused
	}
	return ask.Moderator != "", ""
}

// wait knocks. Whoever is let in joins again.
func (c *session) wait(name string) (again bool) {
	p, err := c.s.knockFor(c.named, name, c.from, c.sock)
	if err != nil {
		c.refuse(refusal(err))
		return false
	}
	c.pass = p
	return true
}

// admit opens the connection and takes the browser's place in the room.
func (c *session) admit(ctx context.Context, ask request, name string, moderator bool) {
	r, err := c.s.enter(c.named.Name)
	if err != nil {
		c.refuse(refusal(err))
		return
	}
	defer r.sweep()
	p, answer, err := c.s.newPeer(ctx, ask.Offer)
	if err != nil {
		c.s.cfg.Log.Info("a browser's offer was refused", "room", r.name, "err", err)
		c.refuse(refusal(err))
		return
	}
	b, err := r.admit(ask, name, moderator, c.sock, p, answer)
	if err != nil {
		p.close()
		c.refuse(refusal(err))
		return
	}
	c.browser = b
	c.s.work.Go(func() {
		defer c.s.recovered("a browser's connection", p.end)
		p.run(b)
	})
}

// refusal returns why a join is refused, for the browser.
func refusal(err error) (code, text string) {
	switch {
	case errors.Is(err, rooms.ErrFull):
		return refuseFull, "the room is full"
	case errors.Is(err, rooms.ErrNoRoom):
		return refuseRoom, "there is no such room"
	case errors.Is(err, rooms.ErrDenied):
		return refuseDeclined, "a moderator has declined"
	case errors.Is(err, rooms.ErrUnanswered):
		return refuseUnanswered, "no moderator has answered"
	case errors.Is(err, rooms.ErrClosed):
		return refuseRoom, "the room is closing; try again"
	}
	return refuseMedia, "this browser's sound does not fit"
}

// listen takes messages until the WebSocket ends; leave says that the browser wanted to go, by a message
// or by closing the page.
func (c *session) listen(ctx context.Context) (leave bool) {
	c.conn.SetReadLimit(maxCommand)
	for {
		ask, err := c.read(ctx)
		if err != nil {
			switch websocket.CloseStatus(err) {
			case websocket.StatusNormalClosure, websocket.StatusGoingAway:
				return true
			}
			c.protest(err)
			return false
		}
		switch ask.Type {
		case sayMute:
			c.browser.room.setMuted(c.browser, ask.Muted)
		case sayHand:
			c.browser.room.setHand(c.browser, ask.Raised)
		case sayModerate:
			// What it sets going may outlast this WebSocket.
			if refused := c.browser.room.moderate(context.WithoutCancel(ctx), c.browser, ask); refused != "" {
				c.say(refused, "not done")
			}
		case sayLeave:
			return true
		default:
			c.refuse(refuseMessage, "joined already")
			return false
		}
	}
}

// protest answers what could not be read, if anybody is there to hear it.
func (c *session) protest(err error) {
	switch {
	case errors.Is(err, errFlood):
		c.refuse(refuseMessage, "too many messages")
	case errors.Is(err, errMessage):
		c.refuse(refuseMessage, "a message that is not understood")
	default:
		c.sock.drop()
	}
}

// say tells why a join or an act is refused; the browser may try again.
func (c *session) say(code, text string) {
	c.sock.send(encode(errorMessage{Type: "error", Code: code, Text: text}))
}

// refuse tells why, and ends the WebSocket.
func (c *session) refuse(code, text string) {
	c.sock.finish(encode(errorMessage{Type: "error", Code: code, Text: text}), statusRefused)
}
