package guess_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/bridge/guess"
	"passerelle/bridge/guess/guesstest"
)

func TestMemoryCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { guesstest.Contract(t, new(guess.Memory), time.Sleep) })
}

// TestMemoryIsBounded holds that a million callers leave it small, and that what was counted last is there.
func TestMemoryIsBounded(t *testing.T) {
	var m guess.Memory
	for i := range 100_000 {
		m.Add(fmt.Sprint(i), 1, time.Hour)
		if n := m.Read([]string{fmt.Sprint(i)}); n[0] != 1 {
			t.Fatalf("%d is forgotten at once", i)
		}
	}
	n := 0
	for i := range 100_000 {
		n += m.Read([]string{fmt.Sprint(i)})[0]
	}
	if n > 20_000 || n < 10_000 {
		t.Errorf("%d are kept", n)
	}
}

// TestMemoryKeepsTheMinute holds that what counts for a minute outlives any number of callers that are remembered for a day.
func TestMemoryKeepsTheMinute(t *testing.T) {
	var m guess.Memory
	m.Add("all", 20, 3*time.Minute)
	for i := range 100_000 {
		m.Add(fmt.Sprint(i), 1, 24*time.Hour)
	}
	if n := m.Read([]string{"all"}); n[0] != 20 {
		t.Errorf("the minute's tries are %d, want 20", n[0])
	}
}

// TestAFileThatCannotBeRead holds that it is told, and does not keep the gateway from running.
func TestAFileThatCannotBeRead(t *testing.T) {
	for rule, text := range map[string]string{
		"torn": `{"version":1,"counters":{"a":{"n":1`, "from the future": `{"version":2}`, "empty": "", "nothing in it": `{"version":1}`,
	} {
		t.Run(rule, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "guesses.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			m := guess.OpenMemory(file, slog.New(slog.NewTextHandler(&log, nil)))
			if told := strings.Contains(log.String(), "cannot be read"); told != (rule != "nothing in it") {
				t.Errorf("the log: %s", &log)
			}
			m.Add("a", 1, time.Hour)
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := m.Run(ctx); err != nil {
				t.Fatal(err)
			}
			if again := guess.OpenMemory(file, slog.New(slog.DiscardHandler)); again.Read([]string{"a"})[0] != 1 {
				t.Error("what is written anew is not read")
			}
		})
	}
}
