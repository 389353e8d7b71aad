// Package livekit keeps a gateway's phones in the rooms of a LiveKit cluster: one hidden listener a room, and a
// participant of its own for every phone. It does not know what a telephone is, nor who made the room.
package livekit

import (
	"log/slog"
	"net/url"
	"time"
)

// Config says which cluster, and from where.
type Config struct {
	URL    *url.URL // of the signalling: ws, wss, http or https
	Key    string   // API key
	Secret string   // API secret
	UDP    Ports
	Clock  func() time.Duration
	Log    *slog.Logger // nil is silence
}
