package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"passerelle/cmd/internal/guard"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
)

// standin is what a gateway cannot do without, and nothing more: a socket a call, a goroutine a socket. It is what
// a gateway's CPU and quality are compared with.
type standin struct {
	first  netip.AddrPort
	calls  int
	kind   codec.Kind
	encode bool // decode each packet, encode it as Opus, and send that too
	pairs  bool // packets go to the call half of all further on, and not back

	conns []*net.UDPConn
}

func standinCommand() *cobra.Command {
	var first, kind string
	var s standin
	var last time.Duration
	c := &cobra.Command{
		Use:   "standin",
		Short: "Answer RTP as the least that a gateway could do, for --direct",
		Long: `Opens a port for each call and sends every packet back. With --encode it decodes and encodes each (Opus, complexity 5,
8 kHz) and sends that packet too: the floor of what a gateway costs. With --pairs the first call of one half hears the
first of the other and is heard by it, and so on: calls without a gateway.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if s.first, err = netip.ParseAddrPort(first); err != nil {
				return fmt.Errorf("--first: %w", err)
			}
			if s.kind = codec.PCMA; kind == codec.PCMU.String() {
				s.kind = codec.PCMU
			}
			ctx, cancel := context.WithTimeout(c.Context(), last)
			defer cancel()
			return s.run(ctx, c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&first, "first", "127.0.0.1:30000", "address and port of the first call; the next is two ports on")
	f.IntVar(&s.calls, "calls", 100, "ports")
	f.StringVar(&kind, "codec", "PCMA", "PCMA or PCMU")
	f.BoolVar(&s.encode, "encode", false, "decode, encode and send Opus beside")
	f.BoolVar(&s.pairs, "pairs", false, "send to the call half of all further on, and not back")
	f.DurationVar(&last, "for", time.Hour, "end after so long, or at SIGTERM")
	return c
}

func (s *standin) run(ctx context.Context, out io.Writer) error {
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: s.first.Addr().AsSlice()})
	if err != nil {
		return err
	}
	defer sink.Close()
	for i := range s.calls {
		at := netip.AddrPortFrom(s.first.Addr(), s.first.Port()+uint16(2*i))
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
		defer conn.Close()
		s.conns = append(s.conns, conn)
	}
	fmt.Fprintf(out, "standin: %d ports from %s\n", s.calls, s.first)
	group, ctx := errgroup.WithContext(ctx)
	for i := range s.conns {
		group.Go(guard.Root("stand-in", func() error { return s.serve(i, sink) }))
	}
	defer context.AfterFunc(ctx, func() { // which ends the readers
		for _, conn := range s.conns {
			_ = conn.Close()
		}
	})()
	return group.Wait()
}

// serve answers one call until its socket is closed. Opus goes to sink, where nobody reads.
func (s *standin) serve(i int, sink *net.UDPConn) error {
	work, err := newTranscoder(s.kind, s.encode)
	if err != nil {
		return err
	}
	defer work.close()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	back := s.conns[i]
	if s.pairs { // with half as many rooms as calls, those two share one
		back = s.conns[(i+len(s.conns)/2)%len(s.conns)]
	}
	in, out := make([]byte, 2048), make([]byte, 2048)
	for {
		n, from, err := s.conns[i].ReadFromUDPAddrPort(in)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.encode && n > 12 {
			size, err := work.turn(out[12:], in[12:n])
			if err != nil {
				return err
			}
			if _, err := s.conns[i].WriteToUDPAddrPort(out[:12+size], to); err != nil && !errors.Is(err, net.ErrClosed) {
				return err
			}
		}
		// Every phone of a load has the same address: the peer tells them apart by our port.
		if _, err := back.WriteToUDPAddrPort(in[:n], from); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
}

// transcoder is one phone's way up without anything around it.
type transcoder struct {
	decoder *g711.Decoder
	encoder *opus.Encoder
	pcm     [6 * 160]int16
}

func newTranscoder(kind codec.Kind, encode bool) (t *transcoder, err error) {
	t = &transcoder{}
	if !encode {
		return t, nil
	}
	if t.decoder, err = g711.NewDecoder(kind); err != nil {
		return nil, err
	}
	const complexity = 5 // the gateway's
	t.encoder, err = opus.NewEncoder(opus.Config{Rate: g711.Rate, Complexity: complexity, FEC: true})
	return t, err
}

func (t *transcoder) turn(dst, payload []byte) (int, error) {
	n, err := t.decoder.Decode(t.pcm[:], payload)
	if err != nil {
		return 0, err
	}
	return t.encoder.Encode(dst, t.pcm[:n])
}

func (t *transcoder) close() {
	if t.encoder != nil {
		_ = t.encoder.Close() // it frees memory
	}
}
