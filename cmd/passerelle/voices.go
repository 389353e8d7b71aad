package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"passerelle/bridge/ivr"
	"passerelle/config"
)

// openVoices opens the voices that the configuration wants, at a rate in Hz.
func openVoices(cfg *config.Config, rate int) (*ivr.Voices, error) {
	wanted := ivr.Config{Rate: rate, Folder: cfg.Static.Voices.Folder}
	if cfg.Static.Voices.Debian {
		wanted.Debian = ivr.DebianFolder
	}
	voices, err := ivr.Open(wanted)
	if err != nil {
		return nil, fmt.Errorf("voices: %w", err)
	}
	return voices, nil
}

// logVoices tells who speaks. The first that has all of what is to be said says it.
func logVoices(log *slog.Logger, voices *ivr.Voices) {
	log.Info("voices", "speak", strings.Join(voices.Told(), "; "))
}

func voicesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "voices [LANGUAGE]",
		Short: "Print every sentence that callers hear, for whoever records them",
		Long: `Prints every sentence that callers hear, with the name that its recording has, and who says it: the recordings of
voices.dir, those of Debian's packages, or the voice that comes with the program. Of a language that the program does not
speak, the words are English: they are to be translated.`,
		Args: cobra.MaximumNArgs(1),
	}
	config.AddFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := config.Load(sourceOf(c))
		if err != nil {
			return err
		}
		var told []string
		voices, wrong := openVoices(cfg, soundRate)
		languages := ivr.Embedded()
		if wrong == nil {
			told, languages = voices.Told(), voices.Languages()
		}
		if len(args) > 0 {
			languages = args
		}
		for _, language := range languages {
			if err := printScript(c.OutOrStdout(), told, language); err != nil {
				return err
			}
		}
		return wrong // told last: who records a language wants the words before
	}
	return c
}

// printScript writes all sentences of a language, after those who say them.
func printScript(w io.Writer, told []string, language string) error {
	words, err := ivr.Script(language)
	if err != nil {
		return err
	}
	for _, voice := range told {
		if strings.HasPrefix(voice, language+": ") {
			fmt.Fprintln(w, "#", voice)
		}
	}
	for _, p := range ivr.Prompts() {
		fmt.Fprintf(w, "%-28s %s\n", language+"/"+string(p), words[p])
	}
	return nil
}

// soundRate is that of voices which nobody plays, in Hz.
const soundRate = 16000
