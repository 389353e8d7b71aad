package bridge

import (
	"context"
	"errors"
	"fmt"

	"passerelle/rooms"
)

// sit opens the room, or joins the phones that are there already, and takes a seat; where the room has ended
// since it was opened, in the next of that name. From here on the phone hears the room and is heard.
func (c *call) sit(ctx context.Context) error {
	who := c.participant()
	for again := false; ; again = true {
		room, err := c.gateway.open.enter(ctx, c.to)
		if err != nil {
			return err
		}
		seat, err := room.room.Seat(ctx, who)
		if err == nil {
			c.room, c.seat = room, seat
			c.phone.SetUp(seat)
			c.phone.Join(room.mix)
			return nil
		}
		ended := errors.Is(err, rooms.ErrClosed)
		if ended {
			c.gateway.open.forget(room)
		}
		c.gateway.open.leave(room)
		if again || !ended {
			return fmt.Errorf("take a seat in %s: %w", c.to, err)
		}
	}
}

// stand gives the seat and the room back. It may be called more than once.
func (c *call) stand() {
	if c.room == nil {
		return
	}
	c.phone.Leave()
	c.phone.SetUp(nil)
	if err := c.seat.Close(); err != nil {
		c.log.Warn("the seat was not left in order", "error", err)
	}
	c.gateway.open.leave(c.room)
	c.room, c.seat = nil, nil
}

// rooms is the engine that keeps the rooms this call goes to.
func (c *call) rooms() Rooms { return c.gateway.Rooms[c.to.engine] }

// participant is how the room sees the caller.
func (c *call) participant() rooms.Participant {
	who := participant(c.invite, c.to.trunk)
	for key, value := range c.attributes {
		who.Attributes[key] = value
	}
	return who
}
