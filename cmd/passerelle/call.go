package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"passerelle/cmd/internal/testphone"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/wav"
	"passerelle/sip"
)

// callOptions are the flags of the test phone.
type callOptions struct {
	play, record, digits, codec, from string
	ca, dns                           string
	srtp                              bool
	last                              time.Duration
	json, verbose                     bool
}

func callCommand() *cobra.Command {
	var o callOptions
	c := &cobra.Command{
		Use:   "call SIP-URI",
		Short: "Call a room, or any SIP address, with a test phone",
		Long: `Calls a SIP address with a telephone that needs no hardware: it plays a WAV file, records what it hears, and
shows while it talks how loud both sides are and how the packets arrive. Ctrl-C hangs up.

The exit status is 2 for a call that was not answered, and 1 for any other error.`,
		Example: "  passerelle call sip:lobby@127.0.0.1 --play speech.wav --record heard.wav --for 10s\n" +
			"  passerelle call 'sip:lobby@rooms.example.org;transport=tls' --srtp --ca ca.pem",
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&o.play, "play", "", "WAV file to say (any rate)")
	f.StringVar(&o.record, "record", "", "WAV file for what is heard")
	f.StringVar(&o.digits, "dtmf", "", "digits to dial once the call is up, such as 123#")
	f.StringVar(&o.codec, "codec", "", "PCMA or PCMU; without it both are offered")
	f.StringVar(&o.from, "from", "", "user part of the address that calls")
	f.BoolVar(&o.srtp, "srtp", false, "encrypt the sound (SRTP, keys in the SDP), or do not talk")
	f.StringVar(&o.ca, "ca", "", "PEM file of who vouches for the other side over TLS; without it whom this machine trusts")
	f.StringVar(&o.dns, "dns", "", "address:port of the DNS server to ask; without it whom this machine asks")
	f.DurationVar(&o.last, "for", 0, "hang up after so long")
	f.BoolVar(&o.json, "json", false, "print one JSON object when the call is over, and nothing before")
	f.BoolVar(&o.verbose, "verbose", false, "log what SIP and RTP do")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return o.call(ctx, args[0], c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// trusting is TLS with a peer that somebody in a file of certificates vouches for; nil if there is no file.
func trusting(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: there is no certificate (PEM) in %s", path)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}

// notAnswered is the exit status of a call that nobody took.
const notAnswered = 2

// call makes the call and prints how it went, to out what is asked for, to screen what is nice to see.
func (o callOptions) call(ctx context.Context, to string, out, screen io.Writer) (err error) {
	config := testphone.Config{To: to, From: o.from, Digits: o.digits, For: o.last, SRTP: o.srtp}
	if config.TLS, err = trusting(o.ca); err != nil {
		return err
	}
	if o.dns != "" {
		server, err := netip.ParseAddrPort(o.dns)
		if err != nil {
			return fmt.Errorf("--dns: %w", err)
		}
		config.DNS = []netip.AddrPort{server}
	}
	if config.Codecs, err = kindsNamed(o.codec); err != nil {
		return err
	}
	if config.Play, err = speech(o.play); err != nil {
		return err
	}
	if o.verbose {
		config.Log = newLog(os.Stderr, slog.LevelDebug)
	}
	var report testphone.Report
	if o.record != "" {
		recording, err := record(o.record)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, recording.close(report.Answered())) }()
		config.Heard = recording.write
	}
	live := !o.json && isTerminal(os.Stderr)
	if live {
		config.Watch = func(r testphone.Report) { fmt.Fprintf(screen, "\r\x1b[K%s", liveLine(r)) }
	}
	report, err = testphone.Call(ctx, config)
	if live {
		fmt.Fprint(screen, "\r\x1b[K")
	}
	if err != nil {
		err = explained(to, report, err)
	}
	if o.json {
		return errors.Join(err, json.NewEncoder(out).Encode(report))
	}
	if err == nil {
		summary(out, report)
	}
	return err
}

// explained says what became of a call, with what can be done about it, and with its exit status.
func explained(to string, r testphone.Report, err error) error {
	var refused *sip.StatusError
	var unreached *net.OpError
	silent := errors.Is(err, sip.ErrNoAnswer)
	named := fmt.Errorf("call %s: %w", to, err)
	if silent {
		named = fmt.Errorf("%w: is the gateway running there, and does it know this address as a trunk?", named)
	}
	if !r.Answered() && (silent || errors.As(err, &refused) || errors.As(err, &unreached) && unreached.Op == "dial") {
		return exitError{named, notAnswered}
	}
	return named
}

func kindsNamed(name string) ([]codec.Kind, error) {
	switch strings.ToUpper(name) {
	case "":
		return nil, nil
	case "PCMA":
		return []codec.Kind{codec.PCMA}, nil
	case "PCMU":
		return []codec.Kind{codec.PCMU}, nil
	}
	return nil, fmt.Errorf("--codec %s: PCMA and PCMU are known", name)
}

// speech reads a WAV file as a telephone says it.
func speech(path string) ([]int16, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--play: %w", err)
	}
	defer file.Close()
	pcm, rate, err := wav.Read(file)
	if err != nil {
		return nil, fmt.Errorf("--play %s: %w", path, err)
	}
	return wav.Resample(pcm, rate, g711.Rate), nil
}

// liveLine is how the call goes, on one line of a terminal.
func liveLine(r testphone.Report) string {
	if r.State != "talking" {
		return fmt.Sprintf("%s %s ...", r.State, r.To)
	}
	return fmt.Sprintf("%5.1fs  say %s  hear %s  lost %d  jitter %.1f ms  round trip %s",
		r.Up.Seconds(), bar(r.SentLevel), bar(r.Level), r.Lost, milliseconds(r.Jitter), roundTrip(r.RoundTrip))
}

// bar draws a level: -50 dBov and less is empty, -10 dBov and more is full.
func bar(level uint8) string {
	const width = 10
	full := min(max((50-int(level))/4, 0), width)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

func summary(w io.Writer, r testphone.Report) {
	fmt.Fprintf(w, "%s: %s\n", r.To, r.End)
	if !r.Answered() {
		return
	}
	encrypted := ""
	if r.SRTP != "" {
		encrypted = ", encrypted with " + r.SRTP
	}
	fmt.Fprintf(w, "  answered in %.1f ms, talked %.1f s in %s%s\n", milliseconds(r.Setup), r.Up.Seconds(), r.Codec, encrypted)
	fmt.Fprintf(w, "  said  %d packets, %.1f %% lost on the way\n", r.Sent, 100*r.LostByPeer)
	fmt.Fprintf(w, "  heard %d packets, %d lost, jitter %.1f ms, longest gap %.0f ms\n",
		r.Received, r.Lost, milliseconds(r.Jitter), milliseconds(r.LongestGap))
	fmt.Fprintf(w, "  round trip %s\n", roundTrip(r.RoundTrip))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func roundTrip(d time.Duration) string {
	if d == 0 {
		return "not known yet"
	}
	return fmt.Sprintf("%.1f ms", milliseconds(d))
}
