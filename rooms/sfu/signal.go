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
	c.sock.send(encode(roomMessage{Type: "room", Name: c.named.Name, Password: c.named.Password != "", Slots: c.s.cfg.Slots}))
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
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	for range joinTries {
		ask, err := c.read(ctx)
		if err != nil {
			c.protest(err)
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

// tryJoin lets the browser in, or tells it why not; again says that it may ask again.
func (c *session) tryJoin(ctx context.Context, ask request) (again bool) {
	if c.named.Password != "" {
		if !c.s.guests.mayTry(c.from) {
			c.refuse(refuseTries, "too many wrong passwords; wait a while")
			return false
		}
		if !c.named.admits(ask.Password) {
			c.s.guests.wrong(c.from)
			c.say(refusePassword, "the password is wrong")
			return true
		}
	}
	name, ok := cleanName(ask.Name)
	if !ok {
		c.say(refuseName, "the name is empty or too long")
		return true
	}
	c.admit(ctx, ask, name)
	return false
}

// admit opens the connection and takes the browser's place in the room.
func (c *session) admit(ctx context.Context, ask request, name string) {
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
	b, err := r.admit(ask, name, c.sock, p, answer)
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

// say tells why a join is refused; the browser may try again.
func (c *session) say(code, text string) {
	c.sock.send(encode(errorMessage{Type: "error", Code: code, Text: text}))
}

// refuse tells why, and ends the WebSocket.
func (c *session) refuse(code, text string) {
	c.sock.finish(encode(errorMessage{Type: "error", Code: code, Text: text}), websocket.StatusPolicyViolation)
}
