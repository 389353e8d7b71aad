//go:build peers

package peers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// TestProofGuesses has thirty calls of somebody who shows no number have a guess each, and three callers come in the middle of
// it who have the right PIN: of the guesses no more than twenty are answered in the first minute, and the three enter.
func TestProofGuesses(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{
		Doors: &Doors{Number: "7000", PIN: doorPIN, Moderator: moderatorPIN}, Guesses: 20,
		Admin: true, Level: "debug", Canaries: []string{doorPIN, moderatorPIN, wrongPIN}, Complains: regexp.MustCompile("PINs are guessed"),
	})
	fr := Speaks(t, "fr")
	wrong := fr.PCM(ivr.WrongPIN)
	began := time.Now()
	var guessers []*Caller
	for i := range 30 {
		guessers = append(guessers, Call(t, dir, gateway, Dialling{
			Name: fmt.Sprint("eve", i), Number: "7000", Headers: []string{"X-PIN: " + wrongPIN},
		}))
	}
	watch, err := Join(t.Context(), gateway, "room-door", "Watch", "")
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	time.Sleep(time.Until(began.Add(15 * time.Second)))
	var entered sync.WaitGroup
	for i := range 3 {
		entered.Go(func() { rightAmongWrong(t, dir, gateway, watch, i) })
	}
	entered.Wait()
	time.Sleep(time.Until(began.Add(time.Minute)))
	var heard []Recording
	for _, eve := range guessers {
		heard = append(heard, eve.Heard(t).Until(time.Minute))
	}
	watch.Close()
	gateway.Stop(t)
	answers := 0
	for _, r := range heard {
		if _, there := spot(wrong, r.PCM); there {
			answers++
		}
	}
	t.Logf("%d guesses were answered in a minute", answers)
	if answers > 20 || answers < 10 {
		t.Errorf("%d guesses were answered in a minute, want 20 at most", answers)
	}
}

// rightAmongWrong has the right PIN, and enters while others guess.
func rightAmongWrong(t *testing.T, dir string, gateway *Gateway, watch *Guest, i int) {
	began := time.Now()
	bob := Call(t, dir, gateway, Dialling{Name: fmt.Sprint("bob", i), Number: "7000", Shows: fmt.Sprint("+336990002", 10+i), Headers: []string{"X-PIN: " + doorPIN}})
	in := func() bool {
		return slices.ContainsFunc(watch.Roster(), func(p Person) bool { return strings.HasSuffix(p.Name, fmt.Sprint("•• ", 10+i)) })
	}
	for deadline := began.Add(40 * time.Second); !in(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s is not in after %v", bob.Name, time.Since(began))
			return
		}
	}
	t.Logf("%s is in after %v at the most", bob.Name, time.Since(began).Round(100*time.Millisecond))
}
