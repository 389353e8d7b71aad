package sip

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/dialog.md anew")

// TestDialogPaths walks the table along what can happen to a call.
func TestDialogPaths(t *testing.T) {
	for _, c := range []struct {
		rule   string
		from   state
		events []event
		want   []action
		end    state
	}{
		{"an answered call, hung up by the peer", incoming,
			[]event{ringWe, answerWe, ackHeard, byeHeard},
			[]action{sendRinging, sendAnswer, stopResending, sendOK}, ended},
		{"an answered call, hung up by us", incoming,
			[]event{answerWe, ackHeard, hangupWe, byeAnswered},
			[]action{sendAnswer, stopResending, sendBye, nothing}, ended},
		{"refused", incoming, []event{rejectWe}, []action{sendRefusal}, ended},
		{"refused while ringing", incoming, []event{ringWe, rejectWe}, []action{sendRinging, sendRefusal}, ended},
		{"left unanswered", incoming, []event{hangupWe}, []action{sendUnavailable}, ended},
		{"cancelled", incoming, []event{ringWe, cancelHeard}, []action{sendRinging, sendTerminated}, ended},
		{"cancelled at once", incoming, []event{cancelHeard}, []action{sendTerminated}, ended},
		{"200 crosses CANCEL, callee", incoming,
			[]event{ringWe, answerWe, cancelHeard, ackHeard, byeHeard},
			[]action{sendRinging, sendAnswer, nothing, stopResending, sendOK}, ended},
		{"200 crosses CANCEL, caller", calling,
			[]event{provisionalHeard, hangupWe, successHeard, byeAnswered},
			[]action{tellProgress, sendCancel, sendACKAndBye, nothing}, ended},
		{"BYE before ACK", incoming, []event{answerWe, byeHeard}, []action{sendAnswer, sendOK}, ended},
		{"BYE in an early dialog", incoming, []event{ringWe, byeHeard}, []action{sendRinging, sendOKAndTerminated}, ended},
		{"no ACK in 64*T1", incoming,
			[]event{answerWe, resendDue, resendDue, ackMissed, byeAnswered},
			[]action{sendAnswer, resendAnswer, resendAnswer, sendBye, nothing}, ended},
		{"no BYE before the ACK", incoming,
			[]event{answerWe, hangupWe, resendDue, ackHeard, byeAnswered},
			[]action{sendAnswer, nothing, resendAnswer, sendBye, nothing}, ended},
		{"no BYE before the ACK, which never comes", incoming,
			[]event{answerWe, hangupWe, ackMissed, byeAnswered},
			[]action{sendAnswer, nothing, sendBye, nothing}, ended},
		{"a call of ours, hung up by us", calling,
			[]event{provisionalHeard, provisionalHeard, successHeard, hangupWe, byeAnswered},
			[]action{tellProgress, tellProgress, sendACK, sendBye, nothing}, ended},
		{"a call of ours, refused", calling, []event{provisionalHeard, refusalHeard}, []action{tellProgress, nothing}, ended},
		{"a call of ours, unanswered", calling, []event{noAnswer}, []action{nothing}, ended},
		{"no CANCEL before a provisional answer", calling,
			[]event{hangupWe, provisionalHeard, refusalHeard},
			[]action{nothing, sendCancel, nothing}, ended},
		{"CANCEL owed, answered instead", calling,
			[]event{hangupWe, successHeard, byeAnswered},
			[]action{nothing, sendACKAndBye, nothing}, ended},
		{"CANCEL unanswered", calling,
			[]event{provisionalHeard, hangupWe, provisionalHeard, noAnswer},
			[]action{tellProgress, sendCancel, nothing, nothing}, ended},
		{"our ACK is lost", calling,
			[]event{successHeard, successAgain, hangupWe, successAgain, byeAnswered},
			[]action{sendACK, sendACKAgain, sendBye, sendACKAgain, nothing}, ended},
		{"BYE crosses BYE", calling,
			[]event{successHeard, hangupWe, byeHeard, byeAnswered},
			[]action{sendACK, sendBye, sendOK, nothing}, ended},
		{"the caller requires 100rel", incoming,
			[]event{ringSurelyWe, ringDue, prackHeard, answerWe, ackHeard, byeHeard},
			[]action{sendRingingSurely, resendRinging, sendPrackOK, sendAnswer, stopResending, sendOK}, ended},
		{"answered before the PRACK", incoming,
			[]event{ringSurelyWe, answerWe, ringDue, prackHeard, ackHeard, byeHeard},
			[]action{sendRingingSurely, nothing, resendRinging, sendPrackOKAndAnswer, stopResending, sendOK}, ended},
		{"no PRACK", incoming, []event{ringSurelyWe, prackMissed}, []action{sendRingingSurely, sendTimeout}, ended},
		{"no PRACK, and answered", incoming, []event{ringSurelyWe, answerWe, prackMissed}, []action{sendRingingSurely, nothing, sendTimeout}, ended},
		{"a bad answer in the PRACK", incoming, []event{ringSurelyWe, disagreed}, []action{sendRingingSurely, sendRefusal}, ended},
		{"a bad answer in the ACK", incoming,
			[]event{answerWe, ackHeard, disagreed, byeAnswered},
			[]action{sendAnswer, stopResending, sendBye, nothing}, ended},
		{"we refresh, and the peer is gone", calling,
			[]event{successHeard, refreshTurn, refreshTurn, peerGone, byeAnswered},
			[]action{sendACK, sendRefresh, sendRefresh, sendBye, nothing}, ended},
		{"the peer does not refresh", calling,
			[]event{successHeard, sessionExpired, byeAnswered},
			[]action{sendACK, sendBye, nothing}, ended},
		{"no ACK to a re-INVITE", calling,
			[]event{successHeard, resendDue, ackMissed, byeAnswered},
			[]action{sendACK, resendAnswer, sendBye, nothing}, ended},
	} {
		t.Run(c.rule, func(t *testing.T) {
			at, got := c.from, []action(nil)
			for _, e := range c.events {
				r, ok := next(at, e)
				if !ok {
					t.Fatalf("%v: no row for %v", at, e)
				}
				at, got = r.to, append(got, r.do)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if at != c.end {
				t.Errorf("got state %v, want %v", at, c.end)
			}
		})
	}
}

// TestDialogTable holds what must be true of the table as a whole.
func TestDialogTable(t *testing.T) {
	seen := map[string]bool{}
	ways := map[state][]state{}
	for _, r := range dialogTable() {
		key := fmt.Sprint(r.from, "/", r.event)
		if seen[key] {
			t.Errorf("two rows for %v, %v", r.from, r.event)
		}
		seen[key] = true
		if r.from == ended {
			t.Errorf("a row leaves %v", ended)
		}
		ways[r.from] = append(ways[r.from], r.to)
	}
	for s := incoming; s < ended; s++ {
		if s.String() == "none" {
			t.Errorf("state %d has no name", s)
		}
		if !seen[fmt.Sprint(s, "/", hangupWe)] {
			t.Errorf("%v: nothing says what hanging up does", s)
		}
		reach := map[state]bool{}
		walk(ways, s, reach)
		if !reach[ended] {
			t.Errorf("%v never ends", s)
		}
	}
}

func walk(ways map[state][]state, s state, reach map[state]bool) {
	for _, to := range ways[s] {
		if !reach[to] {
			reach[to] = true
			walk(ways, to, reach)
		}
	}
}

func TestOfferTable(t *testing.T) {
	for _, c := range []struct {
		rule   string
		from   negotiation
		event  offerEvent
		want   negotiation
		action offerAction
	}{
		{"the peer offers", stable, offerHeard, remoteOffer, proceed},
		{"we offer", stable, offerWe, localOffer, proceed},
		{"glare", localOffer, offerHeard, localOffer, glare},
		{"one offer at a time", remoteOffer, offerHeard, remoteOffer, retry},
		{"the peer answers", localOffer, answerHeard, stable, proceed},
		{"we answer", remoteOffer, answeredWe, stable, proceed},
		{"no offer of ours over the peer's", remoteOffer, offerWe, remoteOffer, forbidden},
		{"no second offer of ours", localOffer, offerWe, localOffer, forbidden},
		{"an answer to nothing", stable, answerHeard, stable, forbidden},
		{"an answer of ours to nothing", stable, answeredWe, stable, forbidden},
		{"the peer answers its own offer", remoteOffer, answerHeard, remoteOffer, forbidden},
		{"we answer our own offer", localOffer, answeredWe, localOffer, forbidden},
	} {
		t.Run(c.rule, func(t *testing.T) {
			to, do := nextOffer(c.from, c.event)
			if to != c.want || do != c.action {
				t.Errorf("got %v, %v; want %v, %v", to, do, c.want, c.action)
			}
		})
	}
}

const dialogDoc = "../docs/dialog.md"

// TestDialogDoc holds docs/dialog.md to the tables; -update writes it.
func TestDialogDoc(t *testing.T) {
	want := printTables()
	if *update {
		if err := os.WriteFile(dialogDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(dialogDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not the table of the code; go test ./sip -run TestDialogDoc -update", dialogDoc)
	}
}

func printTables() string {
	var b strings.Builder
	b.WriteString(`# The dialog

Printed from ` + "`sip/table.go` and `sip/offer.go`" + ` by a test (` + "`go test ./sip -run TestDialogDoc -update`" + `). Sections are
those of RFC 3261. An event without a row does nothing: a command of ours is refused, a BYE is answered 481, the rest is
ignored. Timers and the network are outside; one goroutine owns a dialog and asks the table.

| state | event | next | we send | rule |
|---|---|---|---|---|
`)
	last := state(0)
	for _, r := range dialogTable() {
		name := ""
		if r.from != last {
			name, last = r.from.String(), r.from
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, r.event, r.to, r.do, r.rule)
	}
	b.WriteString(`
Outside of the table: a CANCEL is answered 200, or 481, or dropped as forged, by the guard (` + "`docs/sipgo.md`" + `); a 2xx to our
INVITE with another tag than the first is another phone that answered too, and gets ACK and BYE (13.2.2.4).

A reliable 1xx to our INVITE gets its PRACK, once and in order (RFC 3262 section 4); its session description is the answer to
our offer, and what comes after it is none. One in another 1xx only shows what the 2xx will say. A REFER in a call that is up is 202
where somebody decides about it, else 603; NOTIFYs go out one at a time, the latest news only, and end with the call
([transfer.md](transfer.md)). Replaces finds a dialog that is up, or an early one of ours: else 481; 486 where it wants an early one
only; 603 where that has ended (RFC 3891 section 3).

## Offer and answer inside it

| state | event | next | then |
|---|---|---|---|
`)
	for n := stable; n <= remoteOffer; n++ {
		for e := offerHeard; e <= answeredWe; e++ {
			to, do := nextOffer(n, e)
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", n, e, to, do)
		}
	}
	b.WriteString(`
A re-INVITE while one is being answered is 500 with Retry-After too (14.2). An INVITE or re-INVITE without a body asks for our
offer, which is all that we can do, both ways: it is in the 200 (or in a reliable 180, RFC 3262 section 5), and the answer in the
ACK (or PRACK). A reliable 180 to an INVITE with an offer has our answer, and its PRACK may offer anew. Where the ACK has none, a new call is ended with BYE and a Reason, and one that is up stays as it was. An UPDATE
without a body is 200. BYE during any of this answers the open re-INVITE with 487 (15.1.2).

## The session timer

RFC 4028. The interval is what the peer asks for, 1800 s where it asks for none, never below 90 s: less gets 422 with Min-SE. Whoever
the peer names refreshes; where it names nobody, or knows no session timer, we do, since a phone that only says that it can may
not. Every 2xx to INVITE or UPDATE winds the clock anew.

| we are | after | then |
|---|---|---|
| the refresher | half of the interval | UPDATE without a body, where Allow has UPDATE; else a re-INVITE with what we said last, word for word |
| the refresher, but an offer is under way | 10 s | again |
| the refresher, and get 491 | 0 to 2 s; 2.1 to 4 s where the Call-ID is ours (14.1) | again |
| the refresher, and get 422 | at once | again, with the interval that it asks for |
| the refresher, and get 405 or 501 to UPDATE | at once | re-INVITE |
| the refresher, and get another refusal | 10 s, until the interval is nearly over | again; or nothing, where the peer knows no timer: it lives |
| the refresher, and get 408, 481 or nothing | at once | BYE, Reason 408 |
| not the refresher | the interval less a third, or less 32 s where that is shorter | BYE, Reason 408 |
`)
	return b.String()
}
