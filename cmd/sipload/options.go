package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"passerelle/cmd/internal/chorus"
	"passerelle/cmd/internal/load"
	"passerelle/codec"
	"passerelle/codec/score"
	"passerelle/codec/wav"
	"passerelle/testdata/speech"
)

// options are the flags.
type options struct {
	load.Plan
	codec, speech, direct string
	lossPercent           float64
	json, report          string
	judge, verbose        bool
}

func (o *options) flags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&o.Target, "target", "sip:load-{room}@127.0.0.1:5060", "whom to call; {room} and {call} count from 1, ;transport=tcp calls over TCP")
	f.IntVar(&o.Calls, "calls", 10, "calls at once")
	f.IntVar(&o.Rooms, "rooms", 1, "rooms that they are spread over")
	f.Float64Var(&o.Rate, "rate", 20, "new calls a second")
	f.DurationVar(&o.For, "for", 20*time.Second, "how long to measure once all are up; with --hold, how long to call")
	f.DurationVar(&o.Hold, "hold", 0, "how long a call lasts, and is replaced; without it all last to the end")
	f.Float64Var(&o.Talkers, "talkers", 0.1, "how many of a room's phones talk at any time, 0 to 1")
	f.StringVar(&o.codec, "codec", "PCMA", "PCMA or PCMU")
	f.StringVar(&o.speech, "speech", "", "WAV file to say (any rate), its pauses taken out; without it two voices that are built in")
	f.Float64Var(&o.Noise, "noise", -65, "noise that a silent phone sends, in dBov; -127 is digital silence")
	f.IntVar(&o.Listen, "listen", 5, "calls to listen to; packets are counted in all of them")
	f.IntVar(&o.Sources, "sources", 1, "loopback addresses to call from: 127.0.0.1, 127.0.0.2...")
	f.Uint64Var(&o.Seed, "seed", 1, "of who talks and what the network does")

	f.Float64Var(&o.lossPercent, "loss", 0, "network: packets lost, in percent, each way")
	f.Float64Var(&o.Network.Burst, "burst", 1, "network: mean length of a burst of losses; 1 is each by itself")
	f.DurationVar(&o.Network.Delay, "delay", 0, "network: delay of each packet, each way")
	f.DurationVar(&o.Network.Jitter, "jitter", 0, "network: up to so much more, each way")
	f.BoolVar(&o.Network.Reorder, "reorder", false, "network: packets may overtake each other")

	f.StringVar(&o.Debug, "debug", "", "where the gateway tells its counters (serve --debug), such as http://127.0.0.1:6060")
	f.IntVar(&o.PID, "pid", 0, "the gateway's process, for its CPU and memory")
	f.StringVar(&o.direct, "direct", "", "no SIP: the first of the RTP ports (sipload standin) that calls are answered at")
	f.StringVar(&o.json, "json", "", "file for all figures; - is the standard output, instead of the summary")
	f.StringVar(&o.report, "report", "", "file for a page with plots (HTML, complete in itself)")
	f.BoolVar(&o.judge, "judge", false, "fail unless every call was clean")
	f.BoolVar(&o.verbose, "verbose", false, "log what SIP does")
	f.BoolVar(&o.Anywhere, "i-may-load-this-target", false, "call a target that is not a loopback address")
}

// run does what the flags say.
func (o *options) run(ctx context.Context, out io.Writer, screen *os.File) (err error) {
	if err := o.complete(); err != nil {
		return err
	}
	if o.verbose {
		o.Log = slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	show := newShow(screen, term.IsTerminal(int(screen.Fd())))
	result, err := load.Run(ctx, o.Plan, show.progress)
	show.done()
	if err != nil {
		return err
	}
	if err := o.write(result, out); err != nil {
		return err
	}
	switch {
	case result.Failed > 0 || result.Answered == 0:
		return exitError{fmt.Errorf("%d of %d calls failed: %s", result.Failed, result.Placed, commonest(result.Reasons)), callsFailed}
	case o.judge && len(result.Faults) > 0:
		return exitError{errors.New("not clean: " + strings.Join(result.Faults, "; ")), notClean}
	}
	return nil
}

// complete turns what was written on the command line into a plan.
func (o *options) complete() (err error) {
	o.Network.Loss = o.lossPercent / 100
	switch strings.ToUpper(o.codec) {
	case "PCMA":
		o.Kind = codec.PCMA
	case "PCMU":
		o.Kind = codec.PCMU
	default:
		return fmt.Errorf("--codec %s: PCMA and PCMU are known", o.codec)
	}
	if o.direct != "" {
		if o.Direct, err = netip.ParseAddrPort(o.direct); err != nil {
			return fmt.Errorf("--direct: %w", err)
		}
	}
	if err := o.Check(); err != nil {
		return err
	}
	recordings := [][]byte{speech.Man, speech.Woman}
	if o.speech != "" {
		file, err := os.ReadFile(o.speech)
		if err != nil {
			return fmt.Errorf("--speech: %w", err)
		}
		recordings = [][]byte{file}
	}
	for _, r := range recordings {
		pcm, rate, err := wav.Read(bytes.NewReader(r))
		if err != nil {
			return fmt.Errorf("--speech %s: %w", o.speech, err)
		}
		o.Speech = append(o.Speech, chorus.WithoutPauses(wav.Resample(pcm, rate, score.Rate))...)
	}
	return nil
}

// write writes what was asked for.
func (o *options) write(r *load.Result, out io.Writer) error {
	if o.report != "" {
		html, err := page(r)
		if err == nil {
			err = os.WriteFile(o.report, []byte(html), 0o644)
		}
		if err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			return err
		}
		if o.json == "-" {
			_, err := fmt.Fprintf(out, "%s\n", text)
			return err
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("--json: %w", err)
		}
	}
	summary(out, r)
	return nil
}
