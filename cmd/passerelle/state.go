package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// stateFile is a file of state.dir, which is made; "" where nothing is kept.
func stateFile(c *config.Config, name string) (string, error) {
	dir := c.Static.State
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state.dir: %w", err)
	}
	return filepath.Join(dir, name), nil
}

// openMinutes returns the counters of calls out.
func openMinutes(c *config.Config, log *slog.Logger) (*outgoing.Local, error) {
	file, err := stateFile(c, "minutes.json")
	if err != nil {
		return nil, err
	}
	return outgoing.NewLocal(file, log)
}
