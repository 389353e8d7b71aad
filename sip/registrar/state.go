package registrar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is the file: bindings, by phone.
type state struct {
	Version int                  `json:"version"`
	Phones  map[string][]Binding `json:"phones"`
}

const (
	// maxState is how much of a file is read, in bytes.
	maxState = 64 << 20
	// stateInterval is how long changes are gathered before they are written.
	stateInterval = time.Second
)

// load reads the file. Bindings that have expired, and those of phones that are no more, are left out.
func (r *Registrar) load() {
	if r.config.File == "" {
		return
	}
	s, err := readState(r.config.File)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.log.Warn("the bindings of phones cannot be read: they must register anew", "file", r.config.File, "error", err)
		return
	}
	now := time.Now()
	for phone, all := range s.Phones {
		if r.config.Keep != nil && !r.config.Keep(phone) {
			continue
		}
		if all = alive(all, now); len(all) > 0 {
			r.phones[phone] = all[:min(len(all), r.config.PerPhone)]
		}
	}
}

func readState(path string) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, err
	}
	defer f.Close()
	var s state
	if err := json.NewDecoder(io.LimitReader(f, maxState)).Decode(&s); err != nil {
		return state{}, err
	}
	if s.Version != 1 {
		return state{}, fmt.Errorf("version %d is not known", s.Version)
	}
	return s, nil
}

// Run writes the file when there is something new, until ctx is done; then once more. A disk that is full is told, and
// tried again with the next change.
func (r *Registrar) Run(ctx context.Context) error {
	if r.config.File == "" {
		<-ctx.Done()
		return nil
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-r.dirty:
		case <-ctx.Done():
			return r.save()
		}
		if err := r.save(); err != nil {
			r.log.Error("the bindings of phones are not kept", "file", r.config.File, "error", err)
		}
		wait.Reset(stateInterval)
		select {
		case <-wait.C:
		case <-ctx.Done():
			return r.save()
		}
	}
}

// save writes the file, whole or not at all.
func (r *Registrar) save() error {
	r.mu.Lock()
	s := state{Version: 1, Phones: make(map[string][]Binding, len(r.phones))}
	now := time.Now()
	for phone, all := range r.phones {
		if all = alive(all, now); len(all) > 0 {
			s.Phones[phone] = all
		}
	}
	r.mu.Unlock()
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeWhole(r.config.File, data)
}

// writeWhole replaces a file: whoever reads it sees the old one or the new one, also after a crash.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
