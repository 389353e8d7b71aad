package sfu

import (
	"sync"
	"time"
)

// lossMemory is how long a report of loss counts: three reports of a browser are apart by about that.
const lossMemory = 15 * time.Second

// lossMeter keeps what receivers report about one voice. The zero value is ready.
type lossMeter struct {
	mu sync.Mutex
	by map[any]lossReport
}

// lossReport is what one receiver reported: the mean of its last reports, each half as heavy as the next.
type lossReport struct {
	fraction float64
	at       time.Duration
}

// report takes the fraction, 0 to 1, that a receiver has lost of the voice since its report before.
func (m *lossMeter) report(by any, fraction float64, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = make(map[any]lossReport)
	}
	if old, ok := m.by[by]; ok && now-old.at < lossMemory {
		fraction = (old.fraction + fraction) / 2
	}
	m.by[by] = lossReport{fraction, now}
	m.forget(now) // of a browser's voice nobody asks for the worst
}

// worst returns the loss of whoever loses most.
func (m *lossMeter) worst(now time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	var worst float64
	for _, r := range m.by {
		worst = max(worst, r.fraction)
	}
	return worst
}

// forget lets go of receivers that do not report any more. Called with mu held.
func (m *lossMeter) forget(now time.Duration) {
	for by, r := range m.by {
		if now-r.at >= lossMemory {
			delete(m.by, by)
		}
	}
}
