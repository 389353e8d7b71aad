// Package state keeps what survives a restart: JSON files, read once and replaced whole. It does not know what is in
// them.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxFile is how much of a file is read, in bytes.
	maxFile = 64 << 20
	// Interval is how long changes are gathered before they are written.
	Interval = time.Second
)

// File is one of them.
type File struct {
	Path string // "": there is none
	What string // is in it, for the log: "the bindings of phones"
	Log  *slog.Logger
}

// Read reads the file into what; found is false where there is none.
func (f File) Read(what any) (found bool, err error) {
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	return true, json.NewDecoder(io.LimitReader(file, maxFile)).Decode(what)
}

// Run writes what snapshot returns when changed receives, until ctx is done; then once more. A disk that is full is told,
// and tried again with the next change. Where there is no path, nothing is kept, and Run waits for ctx.
func (f File) Run(ctx context.Context, changed <-chan struct{}, snapshot func() any) error {
	if f.Path == "" {
		<-ctx.Done()
		return nil
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return f.Write(snapshot())
		}
		if err := f.Write(snapshot()); err != nil {
			f.Log.Error(f.What+" are not kept", "file", f.Path, "error", err)
		}
		wait.Reset(Interval)
		select {
		case <-wait.C:
		case <-ctx.Done():
			return f.Write(snapshot())
		}
	}
}

// Write replaces the file: whoever reads it sees the old one or the new one, also after a crash.
func (f File) Write(what any) (err error) {
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(f.Path), filepath.Base(f.Path)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), f.Path)
}
