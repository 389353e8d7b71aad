package main

import (
	"log/slog"

	"passerelle/bridge/guess"
	"passerelle/config"
)

// openGuesses makes the memory of who guesses PINs, with what it knew before the restart.
func openGuesses(c *config.Config, log *slog.Logger) (*guess.Memory, error) {
	file, err := stateFile(c, "guesses.json")
	if err != nil || file == "" {
		return new(guess.Memory), err
	}
	return guess.OpenMemory(file, log), nil
}
