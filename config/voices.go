package config

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Voices is whose recordings callers hear.
type Voices struct {
	// Folder is voices.dir: recordings of one's own, with a folder for each language; "", the default, is none.
	Folder string
	// Debian says that the recordings of Debian's packages are used where they are installed; true by default.
	Debian bool
}

// OwnLanguages are those that the program speaks without any recordings.
func OwnLanguages() []string { return []string{"en", "fr"} }

func voicesSetting() setting {
	return setting{key: "voices", is: mapping, unset: "{}", doc: "Whose voices callers hear ([menu.md](menu.md)).", keys: []setting{
		{key: "dir", values: "path of a folder", means: "no recordings of one's own",
			doc: "Recordings of one's own, which go before all others: in it a folder for each language, such as es, and in that a WAV or Opus file for every sentence of `passerelle voices`."},
		{key: "debian", values: "on or off", unset: "on", bare: true,
			doc: "Whether the recordings of Debian's packages asterisk-core-sounds-en-wav and asterisk-core-sounds-fr-wav are used where they are installed."},
	}}
}

func (b *builder) voices(t *tree) Voices {
	return Voices{Folder: value(b, t.get("dir"), b.secrets.folderOf), Debian: value(b, t.get("debian"), parseSwitch)}
}

// parseLanguage reads a language; whether anybody speaks it is for checkLanguages.
func parseLanguage(text string) (string, error) {
	if !regexp.MustCompile(`^[a-z]{2,3}(-[A-Z]{2})?$`).MatchString(text) {
		return "", errors.New("a language is wanted, such as fr or en")
	}
	return text, nil
}

// checkLanguages tells of languages that nobody speaks, and of a folder that cannot be read.
func (b *builder) checkLanguages(c *Config) {
	spoken := OwnLanguages()
	dir := b.root.get("voices").get("dir")
	if dir.ok() {
		entries, err := os.ReadDir(c.Static.Voices.Folder)
		if err != nil {
			b.add(dir.at, dir.path, "%s", err)
			return
		}
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(spoken, e.Name()) {
				spoken = append(spoken, e.Name())
			}
		}
	}
	check := func(t *tree) {
		if t.ok() && !slices.Contains(spoken, t.text) {
			b.add(t.at, t.path, "nobody speaks %s: there are %s, and whatever has a folder in voices.dir", quoted(t.text), listed(spoken))
		}
	}
	for _, m := range b.root.get("menus").list() {
		for _, language := range m.get("languages").list() {
			check(language)
		}
	}
	for _, list := range []string{"trunks", "routes"} {
		for _, t := range b.root.get(list).list() {
			check(t.get("language"))
		}
	}
}
