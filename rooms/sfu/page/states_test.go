//go:build peers

package page_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// finding is what the driver says of one state of the page.
type finding struct {
	State    string   `json:"state"`
	Problems []string `json:"problems"`
	Seconds  float64  `json:"seconds"`
}

// TestStates brings the page into every state that it has, in a real Chromium and with real rooms, and
// finds nothing to complain of in any: not axe-core, not the console, not the layout, and not the words
// and sounds that the state is there for. With PASSERELLE_SHOTS a folder, it keeps a picture of each, and of
// the room in docs/room.png.
func TestStates(t *testing.T) {
	t.Parallel()
	play(t, "scenes.js", 29)
}

// TestModeratorStates is TestStates for a room with moderators and a waiting room.
func TestModeratorStates(t *testing.T) {
	t.Parallel()
	play(t, "scenes.moderators.js", 17)
}

// play plays scenes, of which there are so many at least.
func play(t *testing.T, scenes string, least int) {
	node, modules := tools(t)
	h := newHouse(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	driver := exec.CommandContext(ctx, node, filepath.Join("testdata", "states.js"), h.page.URL, h.control.URL, scenes)
	driver.Env = append(os.Environ(), "PASSERELLE_NODE_MODULES="+modules)
	driver.Stderr = os.Stderr
	driver.Cancel = func() error { return driver.Process.Signal(os.Interrupt) } // it ends its browsers
	driver.WaitDelay = 10 * time.Second
	out, err := driver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := driver.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Errorf("the driver says %q", lines.Text())
			continue
		}
		seen++
		t.Run(f.State, func(t *testing.T) {
			t.Logf("%.1f s", f.Seconds)
			for _, p := range f.Problems {
				t.Error(p)
			}
		})
	}
	if err := driver.Wait(); err != nil {
		t.Errorf("the driver: %v", err)
	}
	if seen < least && os.Getenv("PASSERELLE_STATES") == "" {
		t.Errorf("saw %d states, want at least %d", seen, least)
	}
}

// TestScripts runs the tests of the page's own modules.
func TestScripts(t *testing.T) {
	node, _ := tools(t)
	files, err := filepath.Glob("testdata/*.test.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	out, err := exec.Command(node, append([]string{"--test", "--test-reporter=tap"}, files...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "# fail 0") {
		t.Errorf("%v\n%s", err, out)
	}
}

// tools returns Node, and the folder with playwright-core and axe-core.
func tools(t *testing.T) (node, modules string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node here: make test installs it")
	}
	modules = os.Getenv("PASSERELLE_NODE_MODULES")
	if modules == "" {
		modules = filepath.Join("..", "..", "..", ".cache", "node", "node_modules")
	}
	if modules, err = filepath.Abs(modules); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join(modules, name)); err != nil {
			t.Skipf("no %s in .cache/node: make test installs it", name)
		}
	}
	if _, err := os.Stat(chromium()); err != nil {
		t.Skip("no chromium here: make test installs it")
	}
	return node, modules
}

// chromium is where the browser is.
func chromium() string {
	if path := os.Getenv("PASSERELLE_CHROMIUM"); path != "" {
		return path
	}
	return "/usr/bin/chromium"
}
