package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"passerelle/bridge"
	"passerelle/config"
)

// askTime bounds a question to the running gateway.
const askTime = 5 * time.Second

// errNoAdmin is why a running gateway cannot be asked.
var errNoAdmin = errors.New("the running gateway cannot be asked: the configuration has no admin; add admin: {listen: 127.0.0.1:8081}")

// ask asks the gateway that runs with this configuration.
func ask(ctx context.Context, c *config.Config, path string, answer any) error {
	if c.Static.Admin == nil {
		return errNoAdmin
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(c.Static.Admin.Listen.String())+path, nil)
	if err != nil {
		return err
	}
	if token := c.Static.Admin.Token; !token.IsEmpty() {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the running gateway: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // it helps, and is not needed
		return fmt.Errorf("ask the running gateway: %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func knocksCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "knocks",
		Short: "List who was not answered, with a trunk to copy",
		Long: `Asks the running gateway who was not answered lately, or whose call was refused, and why; the latest first. For whoever is
nobody's there is a trunk to copy into the configuration.`,
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		var knocks []bridge.Knock
		if err := ask(c.Context(), cfg, "/v1/knocks", &knocks); err != nil {
			return err
		}
		if asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(knocks)
		}
		return printKnocks(c.OutOrStdout(), knocks)
	}
	return c
}

// printKnocks writes the list for people.
func printKnocks(w io.Writer, knocks []bridge.Knock) error {
	if len(knocks) == 0 {
		_, err := fmt.Fprintln(w, "everybody was answered")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var blocks []string
	for _, k := range knocks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d times\t%s\n", k.Last.Local().Format(time.DateTime), k.Address, k.Network, k.Times, reasonOf(k))
		if k.Block != "" {
			blocks = append(blocks, k.Block)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(blocks) > 0 {
		fmt.Fprintf(w, "\ntrunks:  # those that you know\n%s\n", strings.Join(blocks, "\n"))
	}
	return nil
}

// reasonOf is why somebody was not answered.
func reasonOf(k bridge.Knock) string {
	if k.Code != 0 {
		return fmt.Sprintf("%d, %s (trunk %s)", k.Code, k.Why, k.Trunk)
	}
	return k.Why
}
