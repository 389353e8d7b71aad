package guard

import (
	"errors"
	"strings"
	"testing"
)

func TestRoot(t *testing.T) {
	broken := errors.New("broken")
	if err := Root("engine", func() error { return broken })(); !errors.Is(err, broken) {
		t.Errorf("an error became %v", err)
	}
	if err := Root("engine", func() error { return nil })(); err != nil {
		t.Errorf("success became %v", err)
	}
	err := Root("engine", func() error { panic("no oil") })()
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.In != "engine" || panicked.Value != "no oil" {
		t.Fatalf("a panic became %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "engine: panic: no oil") || !strings.Contains(text, "TestRoot") {
		t.Errorf("the error does not say what panicked and where: %s", text)
	}
}
