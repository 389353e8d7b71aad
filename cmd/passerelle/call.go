package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	last                              time.Duration
	json, verbose                     bool
}

func callCommand() *cobra.Command {
	var o callOptions
	c := &cobra.Command{
		Use:   "call SIP-URI",
		Short: "Call a room, or any SIP address, with a test phone",
		Long: `Calls a SIP address with a telephone that needs no hardware: it plays a WAV file, records what it hears, and
shows while it talks how loud both sides are and how the packets arrive. Ctrl-C hangs up.`,
		Example: "  passerelle call sip:lobby@127.0.0.1 --play speech.wav --record heard.wav --for 10s",
		Args:    cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&o.play, "play", "", "WAV file to say (any rate)")
	f.StringVar(&o.record, "record", "", "WAV file for what is heard")
	f.StringVar(&o.digits, "dtmf", "", "digits to dial once the call is up, such as 123#")
	f.StringVar(&o.codec, "codec", "", "PCMA or PCMU; without it both are offered")
	f.StringVar(&o.from, "from", "", "user part of the address that calls")
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

// call makes the call and prints how it went. A call that was not answered is exit status 2.
func (o callOptions) call(ctx context.Context, to string, out, screen io.Writer) (err error) {
	config := testphone.Config{To: to, From: o.from, Digits: o.digits, For: o.last}
	if config.Codecs, err = kindsNamed(o.codec); err != nil {
		return err
	}
	if config.Play, err = speech(o.play); err != nil {
		return err
	}
	if o.verbose {
		config.Log = newLog(os.Stderr, slog.LevelDebug)
	}
	if o.record != "" {
		recording, err := record(o.record)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, recording.Close()) }()
		config.Heard = recording.Write
	}
	live := !o.json && isTerminal(os.Stdout)
	if live {
		config.Watch = func(r testphone.Report) { fmt.Fprintf(screen, "\r\x1b[K%s", liveLine(r)) }
	}
	report, err := testphone.Call(ctx, config)
	if live {
		fmt.Fprint(screen, "\r\x1b[K")
	}
	if err != nil {
		return exitError{fmt.Errorf("call %s: %w", to, explained(err)), 2}
	}
	if o.json {
		return json.NewEncoder(out).Encode(report)
	}
	summary(out, report)
	return nil
}

// explained adds what a caller can do about the refusals that a newcomer meets.
func explained(err error) error {
	var refused *sip.StatusError
	switch {
	case errors.Is(err, sip.ErrNoAnswer):
		return fmt.Errorf("%w: is the gateway running there, and does it know this address as a trunk?", err)
	case errors.As(err, &refused) && refused.Warning.Text != "":
		return fmt.Errorf("%w (%s)", err, refused.Warning.Text)
	}
	return err
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

// recording is a WAV file that grows.
type recording struct {
	*wav.Writer
	file *os.File
}

func record(path string) (*recording, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	w, err := wav.NewWriter(file, g711.Rate)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &recording{w, file}, nil
}

func (r *recording) Close() error { return errors.Join(r.Writer.Close(), r.file.Close()) }

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
	fmt.Fprintf(w, "  answered in %.1f ms, talked %.1f s in %s\n", milliseconds(r.Setup), r.Up.Seconds(), r.Codec)
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
