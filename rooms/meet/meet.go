// Package meet is the reception of Visio (La Suite Meet): which room a PIN opens, and whether the room lets its
// caller in. It does not know what a telephone is, nor how one gets into a LiveKit room.
package meet

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// Config says whose reception it is. Without Meet, only PINs that LiveKit knows open a room and nobody waits.
type Config struct {
	LiveKit *url.URL // LiveKit's API: ws, wss, http or https
	Key     string   // API key
	Secret  string   // API secret

	Meet         *url.URL      // where Meet's pages are; its API is below
	RoomkitToken string        // Meet's ROOMKIT_SERVER_TO_SERVER_API_TOKEN; empty: Meet is not asked about PINs
	Lobby        bool          // whether guests knock at Meet's waiting room
	LobbyTimeout time.Duration // how long one waits there; 0 is 10 minutes

	HTTP *http.Client // nil is one with time-outs of its own; redirects are not followed
	Log  *slog.Logger // nil is silence
}

// What holds where Config says nothing, and how long one request may take.
const (
	lobbyTimeout = 10 * time.Minute
	callTimeout  = 5 * time.Second // one request to LiveKit or Meet
)

// Reception answers for one Meet and its LiveKit. It is a rooms.Reception.
type Reception struct {
	book         book
	meet         *api // nil: there is none
	token        string
	lobby        bool
	lobbyTimeout time.Duration
	client       *http.Client
	log          *slog.Logger
}

var _ rooms.Reception = (*Reception)(nil)

// New returns a reception. It asks nobody yet: see Check.
func New(c Config) *Reception {
	client := plain(c.HTTP)
	r := &Reception{
		book: book{
			api: livekit.NewSIPProtobufClient(httpURL(c.LiveKit).String(), bounded{client, maxRules}),
			key: c.Key, secret: c.Secret, where: c.LiveKit.Host,
		},
		token:        c.RoomkitToken,
		lobby:        c.Lobby,
		lobbyTimeout: cmp.Or(c.LobbyTimeout, lobbyTimeout),
		client:       client,
		log:          c.Log,
	}
	if c.Meet != nil {
		r.meet = &api{base: c.Meet, client: bounded{client, maxReply}}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Close gives back the connections that are kept for later. Nobody may be asking any more.
func (r *Reception) Close() { r.client.CloseIdleConnections() }

// Check asks LiveKit, and Meet where there is one, what every call will ask them; its error says what has to be
// mended. It tries no PIN.
func (r *Reception) Check(ctx context.Context) error {
	_, err := r.book.since(ctx, time.Now())
	return errors.Join(err, r.checkRoomkit(ctx))
}

// Find returns the room that pin opens:
//
//  1. Blanks, and # at the end, are not part of a PIN.
//  2. A dispatch rule of LiveKit's names its room: Meet makes one when a meeting begins.
//  3. Else Meet is asked to make the rule before the meeting begins (roomkit). Its PINs can all be guessed there,
//     not only those of the meetings that are on.
//  4. Meet does not tell which room it is: the rules do, now.
func (r *Reception) Find(ctx context.Context, text string) (rooms.Entry, error) {
	pin, ok := normalise(text)
	if !ok {
		return rooms.Entry{}, rooms.ErrNoRoom
	}
	room, err := r.book.room(ctx, pin)
	if errors.Is(err, rooms.ErrNoRoom) && r.meet != nil && r.token != "" {
		if err := r.openByPIN(ctx, pin); err != nil {
			return rooms.Entry{}, err
		}
		room, err = r.announced(ctx, pin)
	}
	return rooms.Entry{Room: room}, err
}

// announced returns the room of a rule that Meet has just made.
func (r *Reception) announced(ctx context.Context, pin string) (string, error) {
	opened := time.Now()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		list, err := r.book.since(ctx, opened)
		if err != nil {
			return "", err
		}
		if room, ok := match(list.rules, pin); ok {
			return room, nil
		}
		if pause > time.Second {
			return "", &Error{
				Act: "find the meeting that Meet has opened", Err: errNoRule,
				Remedy: "Meet and this engine must use the same LiveKit: compare LIVEKIT_API_URL with livekit.url",
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
		opened = time.Now()
	}
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
