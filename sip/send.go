package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A Server is the wire of its dialogs.
var _ wire = (*Server)(nil)

// roundTrip sends a request and returns its final answer.
func (s *Server) roundTrip(p path, req *sip.Request) (*sip.Response, error) {
	if err := s.aim(p, req); err != nil {
		return nil, err
	}
	return s.exchange(context.WithoutCancel(s.base), req) // a BYE is sent while the server ends, too
}

// exchange runs one transaction and returns its final answer. It is given up when ctx ends.
func (s *Server) exchange(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	tx, err := s.client.TransactionRequest(context.WithoutCancel(s.base), req)
	if err != nil {
		return nil, wireError(err)
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, errors.Join(ErrNoAnswer, wireError(tx.Err()))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// reinvite sends a re-INVITE and returns its final answer. The transaction sends the ACK to a refusal, we the one to
// a 2xx.
func (s *Server) reinvite(p path, req *sip.Request, ack func(*sip.Response) (path, *sip.Request)) (*sip.Response, error) {
	if err := s.aim(p, req); err != nil {
		return nil, err
	}
	tx, err := s.client.TransactionRequest(context.WithoutCancel(s.base), req)
	if err != nil {
		return nil, wireError(err)
	}
	acknowledge := func(res *sip.Response) {
		if !res.IsSuccess() {
			return
		}
		if err := s.write(ack(res)); err != nil {
			s.log.Debug("ACK", "error", err)
		}
	}
	tx.OnRetransmission(func(res *sip.Response) { // on a goroutine of sipgo's
		if !s.tasks.enter() {
			return
		}
		defer s.tasks.leave()
		defer recovered(s.log, "2xx")
		acknowledge(res)
	})
	late := time.NewTimer(s.timing.patience())
	defer late.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				acknowledge(res)
				return res, nil // the transaction ends by its timers
			}
		case <-tx.Done():
			return nil, errors.Join(ErrNoAnswer, wireError(tx.Err()))
		case <-late.C:
			tx.Terminate()
			return nil, ErrNoAnswer
		}
	}
}

// wireError leaves the start-line out of sipgo's error about a request that could not be sent: a number is in it.
func wireError(err error) error {
	if !errors.Is(err, sip.ErrTransactionTransport) {
		return err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%w: %w", sip.ErrTransactionTransport, op)
	}
	return sip.ErrTransactionTransport
}

// write sends an ACK.
func (s *Server) write(p path, req *sip.Request) error {
	if err := s.aim(p, req); err != nil {
		return err
	}
	return s.client.WriteRequest(req)
}

// aim sets where a request goes: on a connection, to the one that the dialog came on for as long as it is open,
// and then a new one; on UDP what is too large goes over TCP, if it can (RFC 3261 section 18.1.1).
func (s *Server) aim(p path, req *sip.Request) error {
	to := p.hop()
	if size := len(req.String()); p.network == "udp" && !p.nat && size > largeRequest {
		better := s.overTCP(context.WithoutCancel(s.base), origin{src: to, network: p.network}, size)
		p.network = better.network
		req.Via().Transport = strings.ToUpper(p.network)
	} else if isStream(p.network) {
		if s.streams.live(flow{p.network, p.flow}) != nil {
			to = p.flow
		} else {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.base), s.config.Limits.WriteTime)
			defer cancel()
			if _, err := s.streams.dial(ctx, p.here, flow{p.network, to}, hostOf(p.next().Host)); err != nil {
				return err
			}
		}
	}
	p.address(req, to)
	return nil
}
