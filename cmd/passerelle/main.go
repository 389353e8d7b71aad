// Command passerelle is the gateway between telephones and WebRTC rooms: the front door, which knows every
// name and does nothing itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "development"

func main() {
	root := &cobra.Command{
		Use:           "passerelle",
		Short:         "Telephones in WebRTC rooms",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		serveCommand(), checkCommand(), routeCommand(), doctorCommand(), knocksCommand(), trunksCommand(), phonesCommand(), gatewaysCommand(),
		voicesCommand(), schemaCommand(), callCommand(), dialCommand(), versionCommand(),
	)
	if err := root.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "passerelle:", err)
		os.Exit(exitCode(err))
	}
}

// exitError is an error with an exit status of its own.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return 1
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), version) },
	}
}
