package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"passerelle/config"
)

func checkCommand() *cobra.Command {
	var effective bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration",
		Long: `Checks the configuration and prints everything that is wrong with it, each with its file and line. Where a gateway runs
with it that can be asked (admin), it prints what would change there.`,
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags())
	c.Flags().BoolVar(&effective, "effective", false, "print all that is in force, with where it comes from")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		for _, warning := range cfg.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", warning.String())
		}
		if effective {
			return cfg.Effective(c.OutOrStdout())
		}
		if _, err := openVoices(cfg, soundRate); err != nil {
			return err
		}
		if cfg.File == "" {
			fmt.Fprintln(c.OutOrStdout(), "no configuration file: the defaults are in force")
			return nil
		}
		fmt.Fprintln(c.OutOrStdout(), cfg.File, "is right")
		if cfg.Static.Admin == nil {
			return nil
		}
		printPending(c.Context(), c.OutOrStdout(), cfg)
		return nil
	}
	return c
}

// printPending writes what the running gateway would change, if there is one.
func printPending(ctx context.Context, w io.Writer, cfg *config.Config) {
	var p pending
	err := ask(ctx, cfg, "/v1/config/changes", &p)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		fmt.Fprintln(w, "no gateway runs with it: nobody listens at", cfg.Static.Admin.Listen)
	case err != nil:
		fmt.Fprintln(w, "what would change is not known:", err)
	case p.File != absolute(cfg.File):
		fmt.Fprintf(w, "the running gateway has another file: %q\n", p.File)
	case p.Error != "":
		fmt.Fprintln(w, "the running gateway could not load it:", p.Error)
	case len(p.Changes) == 0:
		fmt.Fprintln(w, "it is in force")
	default:
		fmt.Fprintln(w, "the running gateway would change:")
		for _, c := range p.Changes {
			fmt.Fprintln(w, " ", c)
		}
	}
}
