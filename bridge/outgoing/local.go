package outgoing

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

// Local is the Store of one gateway: places are held until they lapse, and minutes survive a restart in a file.
type Local struct {
	file  state.File // without a path there is none
	dirty chan struct{}

	mu     sync.Mutex
	places map[string]map[string]time.Time // when each holder's lapse, by share
	days   map[string]map[string]int       // minutes by share, by day
}

// kept is the file.
type kept struct {
	Version int                       `json:"version"`
	Minutes map[string]map[string]int `json:"minutes"`
}

// daysKept is how many days are remembered: more than one, since trunks may be moved to another time zone.
const daysKept = 3

// NewLocal returns a Store with the minutes of a file, "" for none. A file that cannot be read is an error: minutes that
// are forgotten could be used twice.
func NewLocal(path string, log *slog.Logger) (*Local, error) {
	l := &Local{
		file:   state.File{Path: path, What: "the minutes of calls out", Log: log},
		dirty:  make(chan struct{}, 1),
		places: make(map[string]map[string]time.Time),
		days:   make(map[string]map[string]int),
	}
	if path == "" {
		return l, nil
	}
	var k kept
	found, err := l.file.Read(&k)
	if found && err == nil && k.Version != 1 {
		err = fmt.Errorf("version %d is not known", k.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("read the minutes of calls out in %s (remove it, and they begin at 0): %w", path, err)
	}
	for day, used := range k.Minutes {
		if used != nil {
			l.days[day] = used
		}
	}
	return l, nil
}

// Run writes the file when there is something new, until ctx is done; then once more.
func (l *Local) Run(ctx context.Context) error {
	return l.file.Run(ctx, l.dirty, l.snapshot)
}

func (l *Local) snapshot() any { return kept{Version: 1, Minutes: l.Minutes()} }

// Minutes returns the minutes that are remembered, by day and by share.
func (l *Local) Minutes() map[string]map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]map[string]int)
	for day, used := range l.days {
		all[day] = maps.Clone(used)
	}
	return all
}

// Take implements Store.
func (l *Local) Take(_ context.Context, c Claim) (full string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, s := range c.Places {
		held := l.places[s.Name]
		maps.DeleteFunc(held, func(_ string, until time.Time) bool { return !now.Before(until) })
		if _, mine := held[c.Holder]; s.Most > 0 && len(held) >= s.Most && !mine {
			return s.Name, nil
		}
	}
	for _, s := range c.Used {
		if s.Most > 0 && l.days[c.Day][s.Name]+c.Minutes > s.Most {
			return s.Name, nil
		}
	}
	for _, s := range c.Places {
		if l.places[s.Name] == nil {
			l.places[s.Name] = make(map[string]time.Time)
		}
		l.places[s.Name][c.Holder] = c.Until
	}
	l.use(c, c.Minutes)
	return "", nil
}

// Give implements Store.
func (l *Local) Give(_ context.Context, c Claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range c.Places {
		delete(l.places[s.Name], c.Holder)
	}
	l.use(c, -c.Minutes)
	return nil
}

// use counts minutes. Its caller has the lock.
func (l *Local) use(c Claim, minutes int) {
	if len(c.Used) == 0 || minutes == 0 {
		return
	}
	if l.days[c.Day] == nil {
		l.days[c.Day] = make(map[string]int)
		l.forget()
	}
	for _, s := range c.Used {
		l.days[c.Day][s.Name] = max(0, l.days[c.Day][s.Name]+minutes)
	}
	select {
	case l.dirty <- struct{}{}:
	default: // it is known
	}
}

// forget drops the oldest days. Its caller has the lock.
func (l *Local) forget() {
	var days []string
	for day := range l.days {
		days = append(days, day)
	}
	slices.Sort(days)
	for _, day := range days[:max(0, len(days)-daysKept)] {
		delete(l.days, day)
	}
}
