package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"passerelle/bridge"
	"passerelle/cmd/internal/desk"
	"passerelle/config"
)

// askTime bounds a question to the running gateway.
const askTime = 5 * time.Second

// errNoAdmin is why a running gateway cannot be asked.
var errNoAdmin = errors.New("the running gateway cannot be asked: the configuration has no admin; add admin: {listen: 127.0.0.1:8081}")

// ask asks the gateway that runs with this configuration.
func ask(ctx context.Context, c *config.Config, path string, answer any) error {
	return askWith(ctx, c, http.MethodGet, path, answer)
}

// askWith is ask with a method.
func askWith(ctx context.Context, c *config.Config, method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	body, err := send(ctx, c, method, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(answer)
}

// send asks it with a body, and returns that of the answer, which goes on until ctx is done.
func send(ctx context.Context, c *config.Config, method, path string, body io.Reader) (io.ReadCloser, error) {
	if c.Static.Admin == nil {
		return nil, errNoAdmin
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+reachable(c.Static.Admin.Listen.String())+path, body)
	if err != nil {
		return nil, err
	}
	if token := c.Static.Admin.Token; !token.IsEmpty() {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the running gateway: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // it helps, and is not needed
		return nil, fmt.Errorf("ask the running gateway: %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return response.Body, nil
}

// listCommand is a command that asks the running gateway for one thing and prints it.
func listCommand[T any](use, short, long, path string, write func(io.Writer, T) error) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs}
	config.AddFlags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		var all T
		if err := ask(c.Context(), cfg, path, &all); err != nil {
			return err
		}
		if asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(all)
		}
		return write(c.OutOrStdout(), all)
	}
	return c
}

func knocksCommand() *cobra.Command {
	return listCommand("knocks", "List who was not answered, with a trunk to copy",
		`Asks the running gateway who was not answered lately, or whose call was refused, and why; the latest first. For whoever is
nobody's there is a trunk to copy into the configuration.`, "/v1/knocks", printKnocks)
}

func trunksCommand() *cobra.Command {
	return listCommand("trunks", "List the trunks, and how they are",
		"Asks the running gateway how its trunks are: where it is registered, and which servers answer.", "/v1/trunks", printTrunks)
}

func phonesCommand() *cobra.Command {
	return listCommand("phones", "List the phones, and where they are",
		"Asks the running gateway where its phones have registered, and who has shown wrong passwords.", "/v1/phones", printPhones)
}

func gatewaysCommand() *cobra.Command {
	return listCommand("gateways", "List the gateways that share a Redis, and how they are",
		"Asks the running gateway which others there are, whether Redis answers, and whose turn it is to register with each trunk.",
		"/v1/gateways", printGateways)
}

// printGateways writes them for people.
func printGateways(w io.Writer, all desk.Gateways) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	since := "since " + all.Redis.Since.Local().Format(time.DateTime)
	if all.Redis.Up {
		fmt.Fprintf(table, "redis\tup\t%s\n", since)
	} else {
		fmt.Fprintf(table, "redis\taway\t%s  %s\n", since, all.Redis.Why)
	}
	for _, g := range all.Gateways {
		state := "there"
		switch {
		case g.Name == all.Name:
			state = "this one"
		case !g.Alive:
			state = fmt.Sprintf("gone for %.0f s", g.Ago)
		}
		for _, network := range slices.Sorted(maps.Keys(g.Places)) {
			fmt.Fprintf(table, "%s\t%s\t%s: %s\n", g.Name, state, network, strings.Join(g.Places[network], " "))
		}
	}
	for _, trunk := range slices.Sorted(maps.Keys(all.Turns)) {
		fmt.Fprintf(table, "trunk %s\tis registered by\t%s\n", trunk, all.Turns[trunk])
	}
	return table.Flush()
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

// printTrunks writes the trunks for people: a line for the registration, and one for each server.
func printTrunks(w io.Writer, trunks []desk.Trunk) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range trunks {
		switch {
		case t.Registered:
			fmt.Fprintf(table, "%s\tregistered\t%s\tuntil %s\n", t.Name, t.Server, t.Until.Local().Format(time.TimeOnly))
		case t.Registers:
			fmt.Fprintf(table, "%s\tnot registered\t\t%s\n", t.Name, t.Why)
		case len(t.Servers) == 0:
			fmt.Fprintf(table, "%s\tcalls us\t\t\n", t.Name)
		}
		for _, s := range t.Servers {
			state, since := "up", ""
			if !s.Up {
				state = "down"
			}
			if !s.Since.IsZero() {
				since = "since " + s.Since.Local().Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, state, s.URI, strings.TrimSpace(since+"  "+s.Why))
		}
	}
	return table.Flush()
}

// printPhones writes the phones for people: a line for each place where one is, and for each source of wrong passwords.
func printPhones(w io.Writer, all desk.Phones) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range all.Phones {
		for _, b := range p.Bindings {
			fmt.Fprintf(table, "%s\t%s\tat %s %s\tuntil %s\t%s\n", p.User, p.Name, b.Flow.Network, b.Flow.Remote, b.Expires.Local().Format(time.TimeOnly), b.Agent)
		}
		if len(p.Bindings) == 0 {
			state := "not registered"
			if p.Unknown {
				state = "no such phone"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t\t\n", p.User, p.Name, state)
		}
		for _, wrong := range p.Wrong {
			if wrong.From == "" {
				continue // what its sources say
			}
			locked := ""
			if !wrong.Locked.IsZero() {
				locked = "locked out until " + wrong.Locked.Local().Format(time.TimeOnly)
			}
			fmt.Fprintf(table, "%s\t\t%d wrong passwords from %s\tlast %s\t%s\n", p.User, wrong.Times, wrong.From, wrong.Last.Local().Format(time.TimeOnly), locked)
		}
	}
	return table.Flush()
}
