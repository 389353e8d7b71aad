package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Look is what the gateway says of itself (serve --debug), and the system of its process and of ours, at one instant.
// What was not asked for or not to be had is 0.
type Look struct {
	At         time.Duration `json:"-"` // since the watcher was made
	CPU        time.Duration `json:"-"` // user and system time of the gateway's process so far
	Own        time.Duration `json:"-"` // ... of ours
	Resident   uint64        `json:"-"` // bytes of the gateway's process
	Files      int           `json:"-"` // that it has open
	Goroutines int           `json:"goroutines"`
	Heap       uint64        `json:"heap"`
	Gateway    struct {
		Calls int `json:"calls"`
		Media struct {
			Received uint64 `json:"received"`
			Lost     uint64 `json:"lost"`
			Dropped  uint64 `json:"dropped"`
			Failed   uint64 `json:"failed"`
			Ring     uint64 `json:"ring"`
		} `json:"media"`
	} `json:"gateway"`
	Engine struct{ Skipped uint64 } `json:"engine"`
}

// watcher looks at the gateway.
type watcher struct {
	url    string
	pid    int
	client http.Client
	began  time.Time
}

func newWatcher(p Plan) *watcher {
	w := &watcher{pid: p.PID, began: time.Now()}
	if p.Debug != "" {
		w.url = strings.TrimSuffix(p.Debug, "/") + "/debug/vars"
	}
	w.client = http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return w
}

// look looks. What cannot be seen is left out: a gateway that is too busy to tell is seen from outside.
func (w *watcher) look() Look { return w.see(w.url) }

// lookTidy looks at what is left when the gateway has collected its garbage: memory is compared then.
func (w *watcher) lookTidy() Look {
	if w.url == "" {
		return w.see("")
	}
	return w.see(w.url + "?gc")
}

func (w *watcher) see(url string) (l Look) {
	if url != "" {
		if response, err := w.client.Get(url); err == nil {
			_ = json.NewDecoder(response.Body).Decode(&l) // half an answer is as good as none
			response.Body.Close()
		}
	}
	if w.pid > 0 {
		l.CPU, l.Resident, l.Files = process(w.pid)
	}
	var own syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil {
		l.Own = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	l.At = time.Since(w.began)
	return l
}

// process reads what the system knows of a process (proc(5)).
func process(pid int) (cpu time.Duration, resident uint64, files int) {
	const tick = 10 * time.Millisecond // sysconf(_SC_CLK_TCK) is 100 on every Linux that matters
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// The name, in parentheses, may hold blanks; utime and stime are the fields 14 and 15, rss is 24.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 21 {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			pages, _ := strconv.ParseUint(fields[21], 10, 64)
			cpu, resident = time.Duration(user+system)*tick, pages*uint64(os.Getpagesize())
		}
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		files = len(open)
	}
	return cpu, resident, files
}
