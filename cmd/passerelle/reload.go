package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"passerelle/config"
)

// fileTime is how often the configuration file is looked at. It is read once it has stayed the same for that long: whoever
// writes it may not be done.
const fileTime = time.Second

// live is what is in force and may change while calls are up. Who needs several of its values takes it once.
func (h *house) live() *config.Live { return &h.inForce.Load().Live }

// follow reads the configuration again when its file changes, and when it is told to, until ctx is done.
func (h *house) follow(ctx context.Context) {
	tick := time.NewTicker(fileTime)
	defer tick.Stop()
	file := h.inForce.Load().File
	read := h.read
	seen := read
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.again:
			seen = stamp(file)
		case <-tick.C:
			now := stamp(file)
			if now != seen || now == read || now == "" {
				seen = now
				continue
			}
		}
		read = seen
		h.reload()
	}
}

// stamp tells one state of a file from another; "" where it is not there.
func stamp(file string) string {
	if file == "" {
		return ""
	}
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size())
}

// reload puts the configuration into force as it is now, all of it or nothing, and logs what has changed. Calls keep what
// they began with.
func (h *house) reload() {
	changes, err := h.adopt()
	if err != nil {
		h.log.Error("the configuration stays as it was", "error", err)
		return
	}
	h.log.Info("configuration read again", "changes", len(changes))
	for _, c := range changes {
		h.log.Info("configuration: " + c.String())
	}
}

// adopt loads the configuration and swaps it in.
func (h *house) adopt() ([]config.Change, error) {
	next, changes, err := h.next()
	if err != nil {
		return nil, err
	}
	if late := restarts(changes); len(late) > 0 {
		return nil, fmt.Errorf("nothing was changed: a restart is needed for %s", strings.Join(late, ", "))
	}
	for _, e := range h.engines {
		if e.sfu != nil {
			e.sfu.Rename(named(&next.Live, e.name), next.Live.AnyRoom)
		}
	}
	h.inForce.Store(next)
	if h.level != nil {
		h.level.Set(next.Live.Log.Level)
	}
	for _, warning := range next.Warnings {
		h.log.Warn("configuration: " + warning.String())
	}
	return changes, nil
}

// next loads the configuration, and compares it with what is in force.
func (h *house) next() (*config.Config, []config.Change, error) {
	next, err := config.Load(h.source)
	if err != nil {
		return nil, nil, err
	}
	return next, h.inForce.Load().Changes(next), nil
}

// restarts names the settings that take a restart.
func restarts(changes []config.Change) []string {
	var names []string
	for _, c := range changes {
		if c.Restart {
			names = append(names, c.Path)
		}
	}
	return names
}
