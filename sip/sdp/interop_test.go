package sdp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterop holds docs/interop.md to the golden files of devices: each has a row, and no row names one that is
// not there.
func TestInterop(t *testing.T) {
	data, err := os.ReadFile("../../docs/interop.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	files, err := filepath.Glob("testdata/device-*.txtar")
	if err != nil || len(files) < 19 {
		t.Fatalf("%d golden files of devices, %v", len(files), err)
	}
	there := map[string]bool{"device-NAME": true}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		there[name] = true
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/interop.md does not name %s", name)
		}
	}
	for i, part := range strings.Split(page, "`") {
		if i%2 == 1 && strings.HasPrefix(part, "device-") && !there[part] {
			t.Errorf("docs/interop.md names %s, which is not there", part)
		}
	}
}
