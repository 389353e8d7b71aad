// Command sipload calls a gateway many times, talks, listens, and scores what comes back: the front door, with flags,
// the screen and the report. What a load is, cmd/internal/load knows.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "development"

// What the exit status says.
const (
	callsFailed = 2
	notClean    = 3
)

// exitError is an error with an exit status of its own.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "sipload:", err)
	code := 1
	var exit exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	os.Exit(code)
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "sipload",
		Short: "Call a gateway many times, and score what is heard",
		Long: `Places calls at a rate, spreads them over rooms, talks real speech in them, counts every packet that comes back, and
listens to some of them: how late a chirp is, how whole the speech, how good a user would find it (E-model, ITU-T G.107).
Ctrl-C hangs up and reports what there is.

The exit status is 2 where calls failed, 3 with --judge where one was not clean (a gap above 60 ms, a lost packet, time
that the gateway skipped), and 1 for any other error.`,
		Example: `  sipload --calls 300 --rate 50 --for 60s                       # one room, one in ten talks
  sipload --calls 100 --rooms 10 --talkers 1 --report load.html   # everybody talks, and a page with plots
  sipload --calls 20 --rooms 10 --loss 5 --jitter 30ms            # over a bad network
  sipload --calls 500 --rate 100 --hold 3s --for 10s              # calls that come and go`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true, Version: version,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout(), os.Stderr) },
	}
	o.flags(c.Flags())
	c.AddCommand(standinCommand())
	return c
}
