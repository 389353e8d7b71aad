package bridge

import (
	"context"
	"errors"
	"fmt"

	"passerelle/rooms"
)

// sit opens the room, or joins the phones that are there already, and takes a seat. From here on the phone hears the room and
// is heard.
func (c *call) sit(ctx context.Context) error {
	room, seat, err := c.gateway.seat(ctx, c.to, c.participant())
	if err != nil {
		return err
	}
	c.room, c.seat = room, seat
	c.phone.SetUp(seat)
	c.phone.Join(room.mix)
	c.closeBooth()
	if c.muted { // it was so in another room, or the call that it takes over from was
		c.phone.SetMuted(true)
		if err := seat.SetMuted(true); err != nil {
			c.log.Warn("the room was not told of the mute", "muted", true, "error", err)
		}
	}
	c.publish()
	return nil
}

// seat takes a seat in a room for somebody; where the room has ended since it was opened, in the next of that name.
func (g *Gateway) seat(ctx context.Context, to destination, who rooms.Participant) (*openRoom, rooms.Seat, error) {
	for again := false; ; again = true {
		room, err := g.open.enter(ctx, to)
		if err != nil {
			return nil, nil, err
		}
		seat, err := g.open.take(ctx, room, who)
		if err == nil {
			return room, seat, nil
		}
		if again || !errors.Is(err, rooms.ErrClosed) {
			return nil, nil, fmt.Errorf("take a seat in %s: %w", to, err)
		}
	}
}

// take takes a seat in a room, or leaves the room.
func (o *openRooms) take(ctx context.Context, room *openRoom, who rooms.Participant) (seat rooms.Seat, err error) {
	defer func() {
		if seat == nil { // a backend that panicked has given no seat either
			o.leave(room)
		}
	}()
	seat, err = room.room.Seat(ctx, who)
	if errors.Is(err, rooms.ErrClosed) {
		o.forget(room)
	}
	if err != nil {
		return nil, err
	}
	return seat, nil
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
	who := participant(c.invite, c.to.trunk, c.to.caller)
	who.Moderator = c.to.moderator
	for key, value := range c.attributes {
		who.Attributes[key] = value
	}
	return who
}
