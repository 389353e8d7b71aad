package guess

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"passerelle/config/state"
)

// Memory is the Counters of one gateway, kept in a file where there is one. The zero Memory is empty, and has none.
type Memory struct {
	file  state.File    // without a path there is none
	dirty chan struct{} // receives when there is something to write; nil without a file

	mu  sync.Mutex
	all map[string]counter
}

// counter is a number, until it is forgotten.
type counter struct {
	N     int       `json:"n"`
	Until time.Time `json:"until"`
}

// memory is the file.
type memory struct {
	Version  int                `json:"version"`
	Counters map[string]counter `json:"counters"`
}

const countersKept = 20_000 // at most

// OpenMemory returns a Memory with what a file holds, which need not be there yet. One that cannot be read is told and written anew.
func OpenMemory(file string, log *slog.Logger) *Memory {
	m := &Memory{file: state.File{Path: file, What: "wrong PINs", Log: log}, dirty: make(chan struct{}, 1), all: make(map[string]counter)}
	kept, err := readMemory(m.file)
	if err != nil {
		log.Warn("who guessed PINs cannot be read, and is forgotten", "file", file, "error", err)
		return m
	}
	m.all = kept.Counters
	m.forget(time.Now())
	return m
}

// Add implements Counters.
func (m *Memory) Add(name string, n int, life time.Duration) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.all == nil {
		m.all = make(map[string]counter)
	}
	c, known := m.all[name]
	if !now.Before(c.Until) {
		c.N = 0
	}
	if !known && len(m.all) >= countersKept {
		m.makeRoom(now)
	}
	c.N += n
	c.Until = now.Add(life)
	m.all[name] = c
	select {
	case m.dirty <- struct{}{}:
	default: // it is known, or there is no file
	}
	return c.N
}

// Read implements Counters.
func (m *Memory) Read(names []string) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	all := make([]int, len(names))
	for i, name := range names {
		if c := m.all[name]; now.Before(c.Until) {
			all[i] = c.N
		}
	}
	return all
}

// Each calls f with every counter that is more than 0, and how long it is still remembered. f may call the Memory.
func (m *Memory) Each(f func(name string, n int, left time.Duration)) {
	m.mu.Lock()
	all := maps.Clone(m.all)
	m.mu.Unlock()
	now := time.Now()
	for name, c := range all {
		if c.N > 0 && now.Before(c.Until) {
			f(name, c.N, c.Until.Sub(now))
		}
	}
}

// forget takes away what is over. Called with mu held, or before anybody else has it.
func (m *Memory) forget(now time.Time) {
	maps.DeleteFunc(m.all, func(_ string, c counter) bool { return !now.Before(c.Until) })
}

// makeRoom forgets what is over, and if that is not enough the quarter that would be there for longest: the budget's counters
// are not among them, and nobody gets a new minute by coming under many numbers. Called with mu held.
func (m *Memory) makeRoom(now time.Time) {
	m.forget(now)
	if len(m.all) <= countersKept*3/4 {
		return
	}
	longest := slices.SortedFunc(maps.Keys(m.all), func(a, b string) int { return m.all[b].Until.Compare(m.all[a].Until) })
	for _, name := range longest[:countersKept/4] {
		delete(m.all, name)
	}
}

// Run writes the file when there is something new, until ctx is done; then once more.
func (m *Memory) Run(ctx context.Context) error {
	return m.file.Run(ctx, m.dirty, m.snapshot)
}

func (m *Memory) snapshot() any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now())
	return memory{1, maps.Clone(m.all)}
}

// readMemory reads a file; one that is not there yet is empty.
func readMemory(file state.File) (memory, error) {
	kept := memory{Counters: make(map[string]counter)}
	found, err := file.Read(&kept)
	switch {
	case err != nil:
		return memory{}, err
	case found && kept.Version != 1:
		return memory{}, fmt.Errorf("version %d is not known", kept.Version)
	case kept.Counters == nil:
		kept.Counters = make(map[string]counter)
	}
	return kept, nil
}
