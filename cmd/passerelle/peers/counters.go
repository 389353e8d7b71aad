package peers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// Counters is what the gateway says about itself (--debug), and what the system says about its process.
type Counters struct {
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap"` // bytes, after a collection
	Gateway    struct {
		Calls      int    `json:"calls"`
		Rooms      int    `json:"rooms"`
		PortsInUse int    `json:"ports_in_use"`
		Answered   uint64 `json:"answered"`
		Encrypted  uint64 `json:"encrypted"`
		Exposed    uint64 `json:"exposed"`
		Refused    uint64 `json:"refused"`
		Media      struct {
			Received uint64 `json:"received"` // RTP packets from the phones
			Lost     uint64 `json:"lost"`
			Dropped  uint64 `json:"dropped"`
			Up       uint64 `json:"up"`
			Down     uint64 `json:"down"` // RTP packets to the phones
			Failed   uint64 `json:"failed"`
			Ring     uint64 `json:"ring"`
		} `json:"media"`
	} `json:"gateway"`
	Phones struct {
		Bindings int `json:"bindings"`
	} `json:"phones"`
	Trunks map[string]struct {
		Registered bool   `json:"registered"`
		Server     string `json:"server"`
		Why        string `json:"why"`
		Servers    []struct {
			Up bool `json:"up"`
		} `json:"servers"`
	} `json:"trunks"`
	Files    int           `json:"-"` // open file descriptors
	Resident uint64        `json:"-"` // bytes of memory
	CPU      time.Duration `json:"-"` // user and system time so far
}

// Counters asks. The gateway collects its garbage first.
func (g *Gateway) Counters(t testing.TB) Counters {
	t.Helper()
	c, err := g.counters()
	if err != nil {
		t.Fatalf("the gateway's counters: %v", err)
	}
	return c
}

func (g *Gateway) counters() (c Counters, err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://%s/debug/vars?gc", g.debug))
	if err != nil {
		return c, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&c); err != nil {
		return c, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.process.PID()))
	if err != nil {
		return c, err
	}
	c.Files = len(files)
	c.Resident, c.CPU, err = usage(g.process.PID())
	return c, err
}

// usage reads a process' resident memory, in bytes, and its CPU time.
func usage(pid int) (resident uint64, cpu time.Duration, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	if m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status); m != nil {
		kB, _ := strconv.ParseUint(string(m[1]), 10, 64)
		resident = kB << 10
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// Fields 14 and 15, utime and stime, in ticks of 10 ms (proc(5)); the name in field 2 may hold blanks.
	if m := regexp.MustCompile(`\) \S(?: \S+){10} (\d+) (\d+)`).FindSubmatch(stat); m != nil {
		user, _ := strconv.ParseInt(string(m[1]), 10, 64)
		system, _ := strconv.ParseInt(string(m[2]), 10, 64)
		cpu = time.Duration(user+system) * 10 * time.Millisecond
	}
	return resident, cpu, nil
}

// AwaitBaseline waits until nothing is left of the calls since before: no call, no port, no more
// goroutines or files than then. It returns the last look, and fails the test when that takes longer.
func (g *Gateway) AwaitBaseline(t testing.TB, before Counters, within time.Duration) Counters {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		now := g.Counters(t)
		clean := now.Gateway.Calls == 0 && now.Gateway.PortsInUse == 0 && now.Goroutines <= before.Goroutines && now.Files <= before.Files
		if clean {
			return now
		}
		if time.Now().After(deadline) {
			t.Errorf("%v after the end: %d calls, %d ports; %d goroutines, were %d; %d files, were %d\n%s", within,
				now.Gateway.Calls, now.Gateway.PortsInUse, now.Goroutines, before.Goroutines, now.Files, before.Files, g.goroutines())
			return now
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// goroutines returns the stacks of the gateway's goroutines, each kind once.
func (g *Gateway) goroutines() string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://%s/debug/pprof/goroutine?debug=1", g.debug))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 8000))
	return string(text)
}
