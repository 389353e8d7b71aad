package sfu

import (
	"testing"

	"go.uber.org/goleak"

	"passerelle/rooms/roomstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	roomstest.Run(t, func(t *testing.T) roomstest.Harness {
		h := newHouse(t, Config{AnyRoom: true})
		return roomstest.Harness{
			Backend: h.SFU,
			Join: func(t *testing.T, room, name string) roomstest.Person {
				return h.enter(t, visitor{room: room, name: name})
			},
			Refused: "-no-name",
		}
	})
}
