package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"passerelle/config"
)

func checkCommand() *cobra.Command {
	var effective bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration",
		Long:  "Checks the configuration and prints everything that is wrong with it, each with its file and line.",
		Args:  cobra.NoArgs,
	}
	config.AddFlags(c.Flags())
	c.Flags().BoolVar(&effective, "effective", false, "print all that is in force, with where it comes from")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(config.Source{Path: flagText(c, "config"), Flags: c.Flags(), LookupEnv: os.LookupEnv})
		if err != nil {
			return err
		}
		for _, warning := range cfg.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", warning.String())
		}
		if effective {
			return cfg.Effective(c.OutOrStdout())
		}
		if cfg.File == "" {
			fmt.Fprintln(c.OutOrStdout(), "no configuration file: the defaults are in force")
			return nil
		}
		fmt.Fprintln(c.OutOrStdout(), cfg.File, "is right")
		return nil
	}
	return c
}
