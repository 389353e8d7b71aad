package ivr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// MaxFile is the most that a file of a recording may have, in bytes: a minute of 48 kHz in stereo.
const MaxFile = 12 << 20

// Languages returns the languages of a folder of recordings, whatever is in them: the names of the folders in it.
func Languages(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, e.Name())
		}
	}
	return all, nil
}

// addFolder adds recordings of one's own. In a language that the program speaks, some are enough.
func (v *Voices) addFolder(folder string) error {
	languages, err := Languages(folder)
	if err != nil {
		return err
	}
	var wrong []error
	for _, language := range languages {
		l, missing, bad := readFolder(os.DirFS(folder), language)
		wrong = append(wrong, bad...)
		if len(missing) > 0 && !slices.Contains(Embedded(), language) {
			wrong = append(wrong, fmt.Errorf("%s: %d of %d recordings are missing: %s", language, len(missing), len(Prompts()), listed(missing)))
		}
		v.add(language, folder+"/"+language, l)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the recordings in %s:\n%w", folder, errors.Join(wrong...))
	}
	return nil
}

// readFolder reads the recordings of a language: those that are there, the names of those that are missing, and what is
// wrong with the others.
func readFolder(files fs.FS, language string) (l voice, missing []string, bad []error) {
	l = make(voice)
	for _, p := range Prompts() {
		name, found := language+"/"+string(p), false
		for _, ending := range []string{".wav", ".opus", ".ogg"} {
			file, err := readFile(files, name+ending)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			found = true
			if err == nil {
				l[p], err = parseRecording(file)
			}
			if err != nil {
				delete(l, p)
				bad = append(bad, fmt.Errorf("%s%s: %w", name, ending, err))
			}
			break
		}
		if !found {
			missing = append(missing, string(p))
		}
	}
	entries, err := fs.ReadDir(files, language)
	if err != nil {
		return l, missing, append(bad, fmt.Errorf("list %s: %w", language, err))
	}
	for _, e := range entries {
		stem, ending, _ := strings.Cut(e.Name(), ".")
		if slices.Contains([]string{"wav", "opus", "ogg"}, ending) && !slices.Contains(Prompts(), Prompt(stem)) {
			bad = append(bad, fmt.Errorf("%s/%s: no prompt is called %s", language, e.Name(), stem))
		}
	}
	return l, missing, bad
}

// readFile reads a file, unless it is too large.
func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(file) > MaxFile {
		err = ErrTooLong
	}
	return file, err
}

// parseRecording reads a file of any kind that recordings have.
func parseRecording(file []byte) (*recording, error) {
	var t take
	var err error
	switch {
	case bytes.HasPrefix(file, []byte("OggS")):
		t, err = parseOpus(file)
	case bytes.HasPrefix(file, []byte("RIFF")):
		t, err = parseWAV(file)
	default:
		err = errors.New("neither a WAV file nor an Ogg file of Opus")
	}
	if err != nil {
		return nil, err
	}
	if len(trimmed(t.decode(8000), 8000)) == 0 {
		return nil, errors.New("nothing is to be heard in it")
	}
	return &recording{take: mastered{t}}, nil
}

// listed writes names as a list.
func listed(names []string) string { return strings.Join(names, ", ") }
