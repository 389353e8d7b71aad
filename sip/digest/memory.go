package digest

import (
	"maps"
	"sync"
	"time"
)

// Memory is the Ledger of one gateway. It is bounded: two generations of at most memoryKept suspects, the older of which is
// forgotten when the younger is full. The zero Memory is empty.
type Memory struct {
	mu         sync.Mutex
	young, old map[string]guess
}

// guess is what a suspect has done.
type guess struct {
	wrong int
	last  time.Time
}

const memoryKept = 4096

// Look implements Ledger.
func (m *Memory) Look(suspects []string) []Tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	all := make([]Tally, len(suspects))
	for i, s := range suspects {
		all[i] = m.get(s).tally(now)
	}
	return all
}

// Wrong implements Ledger.
func (m *Memory) Wrong(suspects []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, s := range suspects {
		m.put(s, guess{m.get(s).tally(now).Wrong + 1, now})
	}
}

// Forget implements Ledger.
func (m *Memory) Forget(suspect string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, suspect)
	delete(m.old, suspect)
}

// All returns what is remembered, by suspect.
func (m *Memory) All() map[string]Tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	all := make(map[string]Tally)
	for _, generation := range []map[string]guess{m.old, m.young} {
		for s, g := range generation {
			all[s] = g.tally(now)
		}
	}
	maps.DeleteFunc(all, func(_ string, t Tally) bool { return t.Wrong == 0 })
	return all
}

// tally is what counts of it now.
func (g guess) tally(now time.Time) Tally {
	ago := now.Sub(g.last)
	if g.wrong == 0 || ago > GuessMemory {
		return Tally{}
	}
	return Tally{g.wrong, ago}
}

func (m *Memory) get(s string) guess {
	if v, ok := m.young[s]; ok {
		return v
	}
	return m.old[s]
}

func (m *Memory) put(s string, v guess) {
	if len(m.young) >= memoryKept || m.young == nil {
		m.old, m.young = m.young, make(map[string]guess)
	}
	m.young[s] = v
}
