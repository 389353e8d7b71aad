package peers

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Root returns the repository's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// Data returns the path of a file in testdata/peers.
func Data(name ...string) string {
	return filepath.Join(append([]string{Root(), "testdata", "peers"}, name...)...)
}

// Folder returns an empty folder for what the test's peers write: .tmp/peers/TEST in the repository. It
// is kept when the test fails, with every log and recording.
func Folder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Root(), ".tmp", "peers", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatalf("empty the test's folder: %v", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("make the test's folder: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the peers wrote is in %s", dir)
			return
		}
		if os.Getenv("PASSERELLE_KEEP") == "" {
			_ = os.RemoveAll(dir)
		}
	})
	return dir
}

// Sub makes a folder inside dir.
func Sub(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatalf("make the folder of %s: %v", name, err)
	}
	return path
}
