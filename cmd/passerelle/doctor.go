package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"passerelle/cmd/internal/doctor"
	"passerelle/config"
)

// Exit statuses of doctor, beside 0 for nothing bad.
const (
	somethingBad = 1
	wrongUsage   = 2
)

// doctorOptions are its flags.
type doctorOptions struct {
	from, trunk    string
	call, json     bool
	patience, talk time.Duration
}

func doctorCommand() *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor [TRUNK|PHONE|NUMBER] [--call [NUMBER]]",
		Short: "Say what is wrong, and what to do about it",
		Long: `Examines the configuration, this machine and every trunk, or one trunk, one phone, or where one number goes. Each finding is ok, warn or
bad, with what to do. A gateway that runs is asked (admin), and its registrations are left alone.

--call places a test call over the trunk, to NUMBER: from here, as the trunk knows us, and not by the gateway.

The exit status is 0 where nothing is bad, 1 where something is, 2 where it was asked wrongly.`,
		Example: `  passerelle doctor
  passerelle doctor operator
  passerelle doctor operator --call +33123456789
  passerelle doctor 2001
  passerelle doctor +33123456789 --from 0199000123`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return exitError{errors.New("one thing is examined at a time"), wrongUsage}
			}
			return nil
		},
	}
	config.AddFlags(c.Flags())
	f := c.Flags()
	f.BoolVar(&o.call, "call", false, "place a test call over the trunk")
	f.StringVar(&o.from, "from", "", "of a number: who calls; without it, that is withheld")
	f.StringVar(&o.trunk, "trunk", "", "of a number: the trunk that calls, or that is called over; without it, all that may")
	f.DurationVar(&o.patience, "wait", 4*time.Second, "how long an answer may take")
	f.DurationVar(&o.talk, "for", 12*time.Second, "how long a test call lasts (RTCP says after 10 s whether they hear us)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{err, wrongUsage} })
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return o.examine(ctx, args, sourceOf(c), c.OutOrStdout())
	}
	return c
}

// examine examines what was asked for, and prints what it finds.
func (o doctorOptions) examine(ctx context.Context, args []string, source config.Source, out io.Writer) error {
	show, end := o.printer(out)
	cfg, err := config.Load(source)
	var wrong config.Errors
	switch {
	case errors.As(err, &wrong):
		for _, p := range wrong {
			show(doctor.Finding{About: "the configuration", Level: doctor.Bad, What: p.String(), Do: "put it right (docs/configuration.md has every setting); nothing else can be examined before"})
		}
		return end()
	case err != nil:
		return exitError{err, wrongUsage}
	}
	d := doctor.New(doctor.Config{
		Of: cfg, Now: time.Now, Proc: "/proc", Self: filepath.Base(os.Args[0]), Agent: "Passerelle/" + version, Patience: o.patience, Tell: show,
		Call: o.testCall(args),
		Ask: func(ctx context.Context, method, path string, answer any) error {
			if cfg.Static.Admin == nil {
				return doctor.ErrNoDesk
			}
			return askWith(ctx, cfg, method, path, answer)
		},
	})
	if err := o.choose(ctx, d, &cfg.Live, args); err != nil {
		return exitError{err, wrongUsage}
	}
	return end()
}

// testCall is the call that is asked for; nil: none.
func (o doctorOptions) testCall(args []string) *doctor.Call {
	if !o.call || len(args) == 0 {
		return nil
	}
	return &doctor.Call{Number: args[len(args)-1], Rings: 30 * time.Second, Talks: o.talk}
}

// choose examines what args name.
func (o doctorOptions) choose(ctx context.Context, d *doctor.Doctor, live *config.Live, args []string) error {
	if len(args) == 0 {
		if o.call {
			return errors.New("--call: over which trunk, and to whom? passerelle doctor TRUNK --call NUMBER")
		}
		d.Everything(ctx)
		return nil
	}
	trunk := slices.IndexFunc(live.Trunks, func(t config.Trunk) bool { return t.Name == args[0] })
	phone := slices.IndexFunc(live.Phones, func(p config.Phone) bool { return p.User == args[0] })
	switch {
	case len(args) == 2 && (!o.call || trunk < 0):
		return fmt.Errorf("one thing is examined at a time; two words are for passerelle doctor TRUNK --call NUMBER, and there is %s", trunksOf(live))
	case trunk >= 0 && o.call && len(args) == 1:
		return errors.New("--call: to whom? passerelle doctor TRUNK --call NUMBER")
	case trunk >= 0:
		d.Trunk(ctx, trunk)
	case phone >= 0:
		d.Phone(ctx, phone)
	case o.call:
		return o.callNumber(ctx, d, live)
	case !dialable(args[0]):
		return fmt.Errorf("there is no trunk and no phone %q, and it is no number; there is %s", args[0], trunksOf(live))
	case o.trunk != "" && !slices.ContainsFunc(live.Trunks, func(t config.Trunk) bool { return t.Name == o.trunk }):
		return fmt.Errorf("--trunk: there is no trunk %q; there is %s", o.trunk, trunksOf(live))
	default:
		d.Number(ctx, args[0], o.from, o.trunk)
	}
	return nil
}

// callNumber calls a number over the trunk that --trunk names, or over the only one that can be called over.
func (o doctorOptions) callNumber(ctx context.Context, d *doctor.Doctor, live *config.Live) error {
	over := -1
	for i, t := range live.Trunks {
		if len(t.Servers) == 0 || o.trunk != "" && t.Name != o.trunk {
			continue
		}
		if over >= 0 {
			return fmt.Errorf("--call: over which trunk? --trunk; there is %s", trunksOf(live))
		}
		over = i
	}
	if over < 0 {
		return fmt.Errorf("--call: there is no trunk with servers to call over; there is %s", trunksOf(live))
	}
	d.Trunk(ctx, over)
	return nil
}

func trunksOf(live *config.Live) string {
	var names []string
	for _, t := range live.Trunks {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return "no trunk"
	}
	return "trunk " + strings.Join(names, ", ")
}

// dialable reports whether a word is something that can be dialled as a number.
func dialable(word string) bool {
	return word != "" && strings.Trim(word, "+0123456789*# .()/-") == "" && strings.ContainsAny(word, "0123456789")
}

// printer shows findings as they come; end says whether something is bad.
func (o doctorOptions) printer(out io.Writer) (show func(doctor.Finding), end func() error) {
	bad := exitError{errors.New("something is wrong: see above"), somethingBad}
	if o.json {
		all := []doctor.Finding{}
		return func(f doctor.Finding) { all = append(all, f) }, func() error {
			e := json.NewEncoder(out)
			e.SetIndent("", "  ")
			if err := e.Encode(all); err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(f doctor.Finding) bool { return f.Level == doctor.Bad }) {
				return bad
			}
			return nil
		}
	}
	p := &doctor.Printer{W: out, Colour: isScreen(out)}
	return p.Print, func() error {
		if !p.Sum() {
			return bad
		}
		return nil
	}
}
