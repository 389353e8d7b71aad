package sfu

import (
	"errors"
	"testing"

	"passerelle/rooms"
)

// TestAPINOpensItsRoom holds which PIN leads where, and that another one does from the next call on.
func TestAPINOpensItsRoom(t *testing.T) {
	s := new(SFU)
	s.Rename([]Named{
		{Name: "Board", PIN: "0042117", ModeratorPIN: "9942117"},
		{Name: "hall", PIN: "0042118", Password: "sesame"},
		{Name: "attic"},
	}, true)
	board, boss := rooms.Entry{Room: "Board"}, rooms.Entry{Room: "Board", Moderator: true}
	check := func(rule, pin string, want rooms.Entry) {
		t.Helper()
		got, err := s.Find(t.Context(), pin)
		if got != want || (want.Room == "") != errors.Is(err, rooms.ErrNoRoom) {
			t.Errorf("%s: got %+v, %v, want %+v", rule, got, err, want)
		}
	}
	check("a PIN", "0042117", board)
	check("a moderator's", "9942117", boss)
	check("the last one", "0042118", rooms.Entry{Room: "hall"})
	check("no room has it", "0000000", rooms.Entry{})
	check("one digit less", "004211", rooms.Entry{})
	check("one digit more", "00421170", rooms.Entry{})
	check("a room without a PIN", "", rooms.Entry{})
	check("a room's name", "attic", rooms.Entry{})

	s.Rename([]Named{{Name: "Board", PIN: "5550000"}}, true)
	check("a new PIN", "5550000", board)
	check("the PIN that was", "0042117", rooms.Entry{})
	check("the moderator's that was", "9942117", rooms.Entry{})
}

// BenchmarkFind compares the answers: the first and the last PIN, one that is nearly right, and none at all.
func BenchmarkFind(b *testing.B) {
	s := new(SFU)
	named := []Named{{Name: "first", PIN: "0042117"}}
	for i := range 998 {
		named = append(named, Named{Name: "room" + string(rune('A'+i)), PIN: string([]byte{'1', '0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})})
	}
	s.Rename(append(named, Named{Name: "last", PIN: "7742117"}), false)
	for _, test := range []struct{ rule, pin string }{
		{"first", "0042117"}, {"last", "7742117"}, {"nearly", "0042118"}, {"none", "5550000"},
	} {
		b.Run(test.rule, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Find(b.Context(), test.pin)
			}
		})
	}
}
