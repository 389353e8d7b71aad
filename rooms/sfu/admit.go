package sfu

import (
	"context"
	"fmt"

	"passerelle/rooms"
)

// Knocks says whether callers have to knock at a room (rooms.Porter).
func (s *SFU) Knocks(room string) bool { return s.describe(room).WaitingRoom }

// Admit lets a phone in: at once, or where the room has a waiting room and the caller is no moderator, when one opens.
func (s *SFU) Admit(ctx context.Context, to rooms.Entry, name string, waiting func()) (map[string]string, error) {
	named := s.describe(to.Room)
	if to.Moderator || !named.WaitingRoom {
		return nil, nil
	}
	verdict := make(chan error, 1)
	k := &knock{name: name, kind: "phone", told: func(err error) { verdict <- err }}
	r, err := s.knock(named, k)
	if err != nil {
		return nil, fmt.Errorf("knock at %q: %w", named.Name, err)
	}
	waiting()
	select {
	case err = <-verdict:
	case <-ctx.Done():
		r.withdraw(k)
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("knock at %q: %w", named.Name, err)
	}
	return nil, nil
}
