package outgoing_test

import (
	"log/slog"
	"testing"

	"passerelle/bridge/outgoing"
	"passerelle/bridge/outgoing/outgoingtest"
)

func TestLocal(t *testing.T) {
	s, err := outgoing.NewLocal("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	outgoingtest.Contract(t, s)
}
