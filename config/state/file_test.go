package state

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestWrite: what was written is read, a second time in the place of the first, and nothing else is left in the folder.
func TestWrite(t *testing.T) {
	f := File{filepath.Join(t.TempDir(), "numbers.json"), "numbers", slog.New(slog.DiscardHandler)}
	var got []int
	if found, err := f.Read(&got); found || err != nil {
		t.Errorf("a file that is not there: %v, %v", found, err)
	}
	for _, want := range [][]int{{1, 2, 3}, {4}} {
		if err := f.Write(want); err != nil {
			t.Fatal(err)
		}
		if found, err := f.Read(&got); !found || err != nil || len(got) != len(want) || got[0] != want[0] {
			t.Errorf("got %v (%v, %v), want %v", got, found, err, want)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(f.Path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v; want the file alone", left, err)
	}
	if err := os.WriteFile(f.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := f.Read(&got); !found || err == nil {
		t.Errorf("half a file: %v, %v", found, err)
	}
	if err := f.Write(func() {}); err == nil {
		t.Error("what cannot be written is no error")
	}
}
