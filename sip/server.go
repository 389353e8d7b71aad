package sip

import "context"

// Handler takes calls.
type Handler interface {
	// ServeCall runs a call from its INVITE to its end, on a goroutine of its own. ctx ends with the
	// dialog, and context.Cause says why. Returning before the answer refuses the call (480),
	// returning after it hangs up. A panic ends this call only.
	ServeCall(ctx context.Context, d *Dialog)
}

// HandlerFunc is a Handler of one function.
type HandlerFunc func(ctx context.Context, d *Dialog)

// ServeCall calls f.
func (f HandlerFunc) ServeCall(ctx context.Context, d *Dialog) { f(ctx, d) }

// Server listens for calls, and makes them.
type Server struct{}

// Listen binds every listener of c. A port that is taken is a [*ListenError]. Nothing is read before
// [Server.Serve]; [Server.Close] is for a Server that is never served.
func Listen(c Config) (*Server, error) { return &Server{}, nil }

// Addrs returns the listeners as they were bound, in the order of the configuration.
func (s *Server) Addrs() []Listener { return nil }

// Serve takes calls until ctx ends; then it hangs up what is still up, closes its sockets, and returns
// when every goroutine is gone. It is called once.
func (s *Server) Serve(ctx context.Context, h Handler) error { <-ctx.Done(); return nil }

// Close gives the ports back, where Serve is never called.
func (s *Server) Close() error { return nil }

// Dial calls to.To and returns when the call is answered, with the answer's SDP, or refused
// ([*StatusError]), or ctx ends (CANCEL; or BYE, where the answer crosses it). Once it has returned, ctx
// no longer matters. It waits for Serve.
func (s *Server) Dial(ctx context.Context, to Dial) (*Dialog, []byte, error) {
	return nil, nil, ErrNotServing
}
