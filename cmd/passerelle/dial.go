package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"passerelle/bridge"
	"passerelle/config"
)

// Exit statuses of dial, beside 1.
const (
	notAllowed  = 2 // the configuration does not let the call out
	nobodyCame  = 3 // busy, no answer, refused there
	interrupted = 128 + int(syscall.SIGINT)
)

func dialCommand() *cobra.Command {
	var what wanted
	var asJSON bool
	c := &cobra.Command{
		Use:   "dial ROOM NUMBER",
		Short: "Have the running gateway call a number into a room",
		Long: `Asks the running gateway, where admin.listen says, to call a number, or a phone that has registered, into a room, as far as
"outgoing" allows, and says how it goes until somebody is in the room. Ctrl-C hangs up while it rings; a call that is in the
room goes on.

The exit status is 2 for a call that the configuration does not let out, 3 for one that nobody took, 130 for one that
Ctrl-C ended, and 1 for any other error.`,
		Example: "  passerelle dial board 0123456789\n  passerelle dial board 2001\n  passerelle dial board +33612345678 --trunk carrier --json",
		Args:    cobra.ExactArgs(2),
	}
	config.AddFlags(c.Flags())
	c.Flags().StringVar(&what.Trunk, "trunk", "", "over which trunk (the first of outgoing.via that works)")
	c.Flags().StringVar(&what.Engine, "engine", "", "where the room is (the only engine, if there is one)")
	c.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each step")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		what.Number = args[1]
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return dial(ctx, cfg, args[0], what, c.OutOrStdout(), asJSON)
	}
	return c
}

// dial asks for a call, and prints its steps.
func dial(ctx context.Context, c *config.Config, room string, what wanted, out io.Writer, asJSON bool) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	answer, err := send(ctx, c, http.MethodPost, "/v1/rooms/"+url.PathEscape(room)+"/calls", bytes.NewReader(body))
	if ctx.Err() != nil {
		return errHungUp()
	}
	if err != nil {
		return err
	}
	defer answer.Close()
	called := false
	for lines := json.NewDecoder(answer); ; {
		var s step
		err := lines.Decode(&s)
		switch {
		case ctx.Err() != nil:
			return errHungUp()
		case err != nil:
			return fmt.Errorf("ask the running gateway: it breaks off: %w", err)
		}
		called = called || s.State == bridge.Calling
		if asJSON {
			err = json.NewEncoder(out).Encode(s)
		} else if s.State != bridge.Failed {
			_, err = fmt.Fprintln(out, s)
		}
		switch {
		case err != nil:
			return err
		case s.State == bridge.Joined, s.State == bridge.Ended:
			return nil
		case s.State != bridge.Failed:
		case s.Setting != "":
			return exitError{errors.New(s.String()), notAllowed}
		case called:
			return exitError{errors.New(s.String()), nobodyCame}
		default:
			return errors.New(s.String())
		}
	}
}

// errHungUp is a call that Ctrl-C has ended.
func errHungUp() error { return exitError{errors.New("hung up"), interrupted} }
