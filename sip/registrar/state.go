package registrar

import (
	"context"
	"fmt"
	"time"

	"passerelle/config/state"
)

// kept is the file: bindings, by phone.
type kept struct {
	Version int                  `json:"version"`
	Phones  map[string][]Binding `json:"phones"`
}

// file is where the bindings are kept.
func (r *Registrar) file() state.File {
	return state.File{Path: r.config.File, What: "the bindings of phones", Log: r.log}
}

// load reads the file. Bindings that have expired, and those of phones that are no more, are left out.
func (r *Registrar) load() {
	if r.config.File == "" {
		return
	}
	var k kept
	found, err := r.file().Read(&k)
	if found && err == nil && k.Version != 1 {
		err = fmt.Errorf("version %d is not known", k.Version)
	}
	if err != nil {
		r.log.Warn("the bindings of phones cannot be read: they must register anew", "file", r.config.File, "error", err)
		return
	}
	now := time.Now()
	for phone, all := range k.Phones {
		if r.config.Keep != nil && !r.config.Keep(phone) {
			continue
		}
		if all = alive(all, now); len(all) > 0 {
			r.phones[phone] = all[:min(len(all), r.config.PerPhone)]
		}
	}
}

// Run writes the file when there is something new, until ctx is done; then once more.
func (r *Registrar) Run(ctx context.Context) error {
	return r.file().Run(ctx, r.dirty, func() any { return r.snapshot() })
}

// snapshot is what is written.
func (r *Registrar) snapshot() kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := kept{Version: 1, Phones: make(map[string][]Binding, len(r.phones))}
	now := time.Now()
	for phone, all := range r.phones {
		if all = alive(all, now); len(all) > 0 {
			k.Phones[phone] = all
		}
	}
	return k
}
