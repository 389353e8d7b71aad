package livekit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"passerelle/rooms"
)

const (
	// protocolVersion is the newest of LiveKit's signalling that is spoken here.
	protocolVersion = 16
	// maxMessage bounds one message of the server, in bytes: a join of a room with some thousand participants.
	maxMessage = 4 << 20
	// writeTimeout is how long a message to the server may take.
	writeTimeout = 5 * time.Second
)

// Errors of the signalling.
var (
	errOldServer = errors.New("the server does not know /rtc/v1")
	errMessage   = errors.New("a message of the server cannot be read")
)

// signal is one WebSocket to the server. Its send may be called from any goroutine, its receive from one.
type signal struct {
	ws *websocket.Conn
}

// call says how a participant wants to join, or to come back.
type call struct {
	token  string
	resume string // sid of the participant that comes back; "" for a new one
	// What goes out with the join, where one round trip is enough (/rtc/v1).
	offer *livekit.SessionDescription
	track *livekit.AddTrackRequest
}

// clientInfo says who calls. A server has habits for each of LiveKit's own clients: for Go's it makes up silence
// while a voice is muted, for an unknown one it takes the User-Agent to pieces at every join. This one has none.
func clientInfo() *livekit.ClientInfo {
	return &livekit.ClientInfo{Sdk: livekit.ClientInfo_CPP, Protocol: protocolVersion, Os: "linux", Version: "1.0.0"}
}

// dialOne joins by /rtc/v1: one peer connection, whose offer goes with the join.
func dialOne(ctx context.Context, server *url.URL, client *http.Client, c call) (*signal, error) {
	join := &livekit.JoinRequest{
		ClientInfo:         clientInfo(),
		ConnectionSettings: &livekit.ConnectionSettings{},
		PublisherOffer:     c.offer,
		Reconnect:          c.resume != "",
		ParticipantSid:     c.resume,
	}
	if c.track != nil && c.resume == "" {
		join.AddTrackRequests = []*livekit.AddTrackRequest{c.track}
	}
	request, err := proto.Marshal(join)
	if err != nil {
		return nil, fmt.Errorf("write a join: %w", err)
	}
	wrapped, err := proto.Marshal(&livekit.WrappedJoinRequest{JoinRequest: request})
	if err != nil {
		return nil, fmt.Errorf("write a join: %w", err)
	}
	query := url.Values{"join_request": {base64.URLEncoding.EncodeToString(wrapped)}}
	return dial(ctx, endpoint(server, "/rtc/v1", query), client, c.token, errOldServer)
}

// dialTwo joins by /rtc: a peer connection for each direction.
func dialTwo(ctx context.Context, server *url.URL, client *http.Client, c call) (*signal, error) {
	query := url.Values{
		"auto_subscribe": {"0"}, "sdk": {"cpp"}, "version": {"1.0.0"}, "protocol": {strconv.Itoa(protocolVersion)}, "os": {"linux"},
	}
	if c.resume != "" {
		query.Set("reconnect", "1")
		query.Set("sid", c.resume)
	}
	return dial(ctx, endpoint(server, "/rtc", query), client, c.token, rooms.ErrNoRoom)
}

func endpoint(server *url.URL, path string, query url.Values) string {
	u := *server
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawQuery = query.Encode()
	return u.String()
}

// dial opens the WebSocket. notFound is what a 404 means.
func dial(ctx context.Context, at string, client *http.Client, token string, notFound error) (*signal, error) {
	ws, answer, err := websocket.Dial(ctx, at, &websocket.DialOptions{ //nolint:bodyclose // Dial has closed it
		HTTPClient: client, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err == nil {
		ws.SetReadLimit(maxMessage)
		return &signal{ws: ws}, nil
	}
	if answer == nil {
		return nil, fmt.Errorf("call LiveKit: %w: %w", rooms.ErrUnavailable, stripped(err))
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return nil, fmt.Errorf("call LiveKit: %w", notFound)
	case http.StatusTooManyRequests:
		return nil, fmt.Errorf("call LiveKit: %w", rooms.ErrFull)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("call LiveKit: it answers %d: check api_key and api_secret", answer.StatusCode)
	}
	return nil, fmt.Errorf("call LiveKit: %w: it answers %s", rooms.ErrUnavailable, answer.Status)
}

// stripped takes the URL, which is long and holds the whole offer, out of an error.
func stripped(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// receive returns the server's next message.
func (s *signal) receive(ctx context.Context) (*livekit.SignalResponse, error) {
	_, data, err := s.ws.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("hear LiveKit: %w", err)
	}
	m := &livekit.SignalResponse{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	return m, nil
}

// send writes one message.
func (s *signal) send(ctx context.Context, m *livekit.SignalRequest) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("write to LiveKit: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := s.ws.Write(ctx, websocket.MessageBinary, data); err != nil {
		return fmt.Errorf("write to LiveKit: %w", err)
	}
	return nil
}

// close ends the WebSocket without waiting for the server.
func (s *signal) close() { _ = s.ws.CloseNow() }
