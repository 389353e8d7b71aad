package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"passerelle/bridge"
	"passerelle/config"
)

func routeCommand() *cobra.Command {
	var from, to, trunk, transport, at string
	var headers []string
	var asJSON, video bool
	c := &cobra.Command{
		Use:   "route --to NUMBER --trunk TRUNK",
		Short: "Say where a call would go, and why",
		Long: `Says where a call would go under this configuration, and why: how its numbers are read, and each route with
the first thing that kept it from taking the call. Nothing is called.`,
		Example: `  passerelle route --trunk operator --from 0199000123 --to 0123456789
  passerelle route --trunk pbx --to 600 --at "2026-12-24T20:00:00+01:00" --header "X-Line: vip" --json`,
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags())
	c.Flags().StringVar(&from, "from", "", "the number that calls; without it, it is withheld")
	c.Flags().StringVar(&to, "to", "", "what is dialled, before the @")
	c.Flags().StringVar(&trunk, "trunk", "", "the trunk that the call comes from, or phones (the only trunk, if there is one)")
	c.Flags().StringVar(&transport, "transport", "udp", "what it comes over: udp, tcp, tls")
	c.Flags().StringArrayVar(&headers, "header", nil, `a header of the INVITE, as "X-Line: vip"`)
	c.Flags().StringVar(&at, "at", "", "when it comes, as 2026-12-24T20:00:00+01:00 (now)")
	c.Flags().BoolVar(&video, "video", false, "it offers video")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		ask := bridge.Ask{Called: to, Caller: from, Transport: transport, At: time.Now(), Header: headerOf(headers), Video: video}
		if ask.Trunk, err = trunkNamed(&cfg.Live, trunk); err != nil {
			return err
		}
		if at != "" {
			if ask.At, err = time.Parse(time.RFC3339, at); err != nil {
				return fmt.Errorf("--at: a time as 2026-12-24T20:00:00+01:00 is wanted: %w", err)
			}
		}
		trace := bridge.Explain(&cfg.Live, ask)
		if asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(trace)
		}
		return printTrace(c.OutOrStdout(), trace, isScreen(c.OutOrStdout()))
	}
	return c
}

// allPhones is what routes call all phones that register.
const allPhones = "phones"

// trunkNamed finds a trunk by its name, or phones; without one, the only trunk.
func trunkNamed(live *config.Live, name string) (*config.Trunk, error) {
	if name == "" && len(live.Trunks) == 1 {
		return &live.Trunks[0], nil
	}
	if name == allPhones || name == "" && len(live.Trunks) == 0 {
		return &config.Trunk{Name: allPhones}, nil
	}
	var names []string
	for i := range live.Trunks {
		if live.Trunks[i].Name == name {
			return &live.Trunks[i], nil
		}
		names = append(names, live.Trunks[i].Name)
	}
	if name == "" {
		return nil, fmt.Errorf("--trunk is wanted: there are %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("there is no trunk %q; there are: %s", name, strings.Join(names, ", "))
}

// headerOf looks headers up that were given as "Name: value".
func headerOf(lines []string) func(name string) []string {
	return func(name string) (values []string) {
		for _, line := range lines {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(key), name) {
				values = append(values, strings.TrimSpace(value))
			}
		}
		return values
	}
}

// Colours of a terminal.
const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

// printTrace writes a trace for people: one step a line, aligned.
func printTrace(w io.Writer, t bridge.Trace, colour bool) error {
	paint := func(with, text string) string {
		if !colour {
			return text
		}
		return with + text + plain
	}
	width := len("caller")
	for _, s := range t.Steps {
		width = max(width, len(s.Asked))
	}
	for _, s := range t.Steps {
		mark, why := paint(green, "yes"), s.Why
		if !s.Yes {
			mark, why = paint(red, "no "), paint(faint, s.Why)
		}
		if _, err := fmt.Fprintf(w, "%-*s  %s  %s\n", width, s.Asked, mark, why); err != nil {
			return err
		}
	}
	end := paint(green, t.End)
	if t.Code != 0 {
		end = paint(red, fmt.Sprintf("%d, %s", t.Code, t.End))
	}
	_, err := fmt.Fprintf(w, "%-*s  ->   %s\n", width, "so", end)
	return err
}

// isScreen reports whether somebody looks at w, and wants colours.
func isScreen(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f) && os.Getenv("NO_COLOR") == ""
}
