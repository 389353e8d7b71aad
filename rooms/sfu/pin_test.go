package sfu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket/wsjson"

	"passerelle/bridge/guess"
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

// TestWaysAreForThoseInside holds that whoever is in a room is told how telephones come there, and nobody before.
func TestWaysAreForThoseInside(t *testing.T) {
	h := newHouse(t, Config{
		Named: []Named{{Name: "board", Password: "sesame", PIN: "0042117"}, {Name: "attic"}},
		Ways: func(room string) []Way {
			if room != "board" {
				return nil
			}
			return []Way{{Number: "+33 1 23 45 67 89", PIN: "0042117"}}
		},
	})
	ws, _, err := h.dial(t.Context(), "board")
	if err != nil {
		t.Fatal(err)
	}
	if err := wsjson.Write(t.Context(), ws, request{Type: sayJoin, Name: "Eve", Password: "simsim", Offer: "v=0"}); err != nil {
		t.Fatal(err)
	}
	if _, text, err := ws.Read(t.Context()); err != nil || strings.Contains(string(text), "0042117") || !strings.Contains(string(text), refusePassword) {
		t.Errorf("before it is in, somebody is told %s, %v", text, err)
	}
	_ = ws.CloseNow()
	ada := h.enter(t, visitor{room: "board", name: "Ada", password: "sesame"})
	if got, want := fmt.Sprint(ada.ways), "[map[number:+33 1 23 45 67 89 pin:0042117]]"; got != want {
		t.Errorf("who is in is told %s, want %s", got, want)
	}
	if bob := h.enter(t, visitor{room: "attic", name: "Bob"}); bob.ways != nil {
		t.Errorf("where no telephone comes, Bob is told %s", bob.ways)
	}
}

// TestNoRoomAndWrongPINAreTheSame holds that nobody learns why a PIN opens nothing, by the answer or by its time.
func TestNoRoomAndWrongPINAreTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(SFU)
		s.Rename([]Named{{Name: "board", PIN: "0042117"}, {Name: "gone", PIN: "0042118"}}, true)
		s.Rename([]Named{{Name: "board", PIN: "0042117"}, {Name: "attic"}}, true)
		type outcome struct {
			right bool
			err   error
			took  time.Duration
		}
		var first outcome
		for i, pin := range []string{"5550000", "0042118", "0042116", "004211", "board"} {
			guard := guess.New(guess.Config{}) // for each the same past: none
			visit := guard.Visit(guess.Caller{Trunk: "operator", Number: "+33199000123"})
			began := time.Now()
			var got outcome
			got.right, got.err = visit.Try(t.Context(), func(ctx context.Context) (bool, error) {
				_, err := s.Find(ctx, pin)
				if errors.Is(err, rooms.ErrNoRoom) {
					return false, nil
				}
				return err == nil, err
			})
			visit.End()
			got.took = time.Since(began)
			if i == 0 {
				first = got
			}
			if got != first || got.right || got.err != nil {
				t.Errorf("PIN %d: %+v, want %+v", i, got, first)
			}
		}
	})
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
