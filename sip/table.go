package sip

import "slices"

// The dialog machine: one table for callers and callees, early dialogs included. It is pure: timers and
// the network are in run.go, which asks next what to do. docs/dialog.md is this table, printed.

// state is where a dialog is.
type state uint8

const (
	incoming      state = iota + 1 // callee: INVITE received, nothing said
	ringing                        // callee: early dialog
	ringingSurely                  // callee: early dialog by a reliable answer, PRACK awaited
	owing                          // callee: that, and our 2xx owed
	answered                       // callee: 2xx sent, ACK awaited
	leaving                        // callee: 2xx sent, ACK awaited, BYE owed
	calling                        // caller: INVITE sent, nothing heard
	proceeding                     // caller: provisional answer heard
	givingUp                       // caller: CANCEL owed, nothing heard yet
	cancelling                     // caller: CANCEL sent, final answer awaited
	confirmed                      // both: 2xx and ACK
	ending                         // both: BYE sent, its answer awaited
	ended                          // both
)

// event is what happens to a dialog: what we want (…We), what the peer sent (…Heard), or time.
type event uint8

const (
	ringWe       event = iota + 1
	ringSurelyWe       // the caller requires 100rel
	soundWe
	answerWe
	rejectWe
	hangupWe
	cancelHeard
	ackHeard
	byeHeard
	prackHeard
	provisionalHeard
	successHeard
	successAgain // the same 2xx once more
	refusalHeard
	challengeHeard // 401 or 407 to our INVITE, and we have an answer
	byeAnswered
	disagreed      // there is no answer to our offer where it is due, or not one to agree to
	resendDue      // T1, doubling up to T2, while a 2xx has no ACK
	ringDue        // T1, doubling, while a reliable 180 has no PRACK
	prackMissed    // 64*T1 after it
	refreshTurn    // half of the session interval, where we refresh
	sessionExpired // the peer, or we, did not refresh in time
	intervalHeard  // 422: the peer's side wants a longer session interval
	peerGone       // 408, 481 or nothing for a refresh of ours
	ackMissed      // 64*T1 after a 2xx
	noAnswer       // timer B, 64*T1 after CANCEL, or the network is gone
)

// action is what the dialog does about an event.
type action uint8

const (
	nothing action = iota + 1
	sendRinging
	sendRingingSurely
	sendProgress
	resendRinging
	sendPrackOK
	sendPrackOKAndAnswer
	sendTimeout
	sendAnswer
	sendRefusal
	sendUnavailable
	sendTerminated
	sendOK
	sendOKAndTerminated
	stopResending
	resendAnswer
	sendBye
	sendRefresh
	tellProgress
	sendInviteAgain
	sendACK
	sendACKAgain
	sendACKAndBye
	sendCancel
)

// row is one line of the table, named by its rule.
type row struct {
	from  state
	event event
	to    state
	do    action
	rule  string
}

// next returns what follows event in state s; false where the table has no row: a command is then
// refused, a request answered 481 and anything else ignored.
func next(s state, e event) (row, bool) {
	rows := dialogTable()
	i := slices.IndexFunc(rows, func(r row) bool { return r.from == s && r.event == e })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// dialogTable returns the rows in the order of a call. Sections are those of RFC 3261.
func dialogTable() []row { return slices.Concat(calleeRows(), callerRows(), upRows()) }

// calleeRows are those of a call that comes in, until its ACK.
func calleeRows() []row {
	return []row{
		{incoming, ringWe, ringing, sendRinging, "a provisional answer makes an early dialog (12.1)"},
		{incoming, ringSurelyWe, ringingSurely, sendRingingSurely, "a reliable one, where the caller requires it (RFC 3262 3)"},
		{incoming, soundWe, ringing, sendProgress, "sound before the answer (13.3.1.1)"},
		{incoming, answerWe, answered, sendAnswer, "answer (13.3.1.4)"},
		{incoming, rejectWe, ended, sendRefusal, "refuse (13.3.1.3)"},
		{incoming, hangupWe, ended, sendUnavailable, "hang up before the answer: 480"},
		{incoming, cancelHeard, ended, sendTerminated, "cancelled: 487 (9.2)"},

		{ringing, ringWe, ringing, sendRinging, "ring on"},
		{ringing, ringSurelyWe, ringing, nothing, "it rings already"},
		{ringing, soundWe, ringing, sendProgress, "sound before the answer (13.3.1.1)"},
		{ringing, answerWe, answered, sendAnswer, "answer (13.3.1.4)"},
		{ringing, rejectWe, ended, sendRefusal, "refuse (13.3.1.3)"},
		{ringing, hangupWe, ended, sendUnavailable, "hang up before the answer: 480"},
		{ringing, cancelHeard, ended, sendTerminated, "cancelled: 487 (9.2)"},
		{ringing, byeHeard, ended, sendOKAndTerminated, "a caller may end an early dialog with BYE (15, 15.1.2)"},

		{ringingSurely, ringSurelyWe, ringingSurely, nothing, "it rings already"},
		{ringingSurely, ringDue, ringingSurely, resendRinging, "no PRACK yet: T1, doubling (RFC 3262 3)"},
		{ringingSurely, prackHeard, ringing, sendPrackOK, "the PRACK arrives (RFC 3262 3)"},
		{ringingSurely, prackMissed, ended, sendTimeout, "no PRACK in 64*T1: 504 (RFC 3262 3)"},
		{ringingSurely, disagreed, ended, sendRefusal, "the PRACK has no answer that we can take: refuse"},
		{ringingSurely, answerWe, owing, nothing, "no 2xx before the PRACK (RFC 3262 3)"},
		{ringingSurely, rejectWe, ended, sendRefusal, "refuse (13.3.1.3)"},
		{ringingSurely, hangupWe, ended, sendUnavailable, "hang up before the answer: 480"},
		{ringingSurely, cancelHeard, ended, sendTerminated, "cancelled: 487 (9.2)"},
		{ringingSurely, byeHeard, ended, sendOKAndTerminated, "a caller may end an early dialog with BYE (15, 15.1.2)"},

		{owing, ringDue, owing, resendRinging, "no PRACK yet: T1, doubling (RFC 3262 3)"},
		{owing, prackHeard, answered, sendPrackOKAndAnswer, "the PRACK arrives: now answer (RFC 3262 3)"},
		{owing, prackMissed, ended, sendTimeout, "no PRACK in 64*T1: 504 (RFC 3262 3)"},
		{owing, disagreed, ended, sendRefusal, "the PRACK has no answer that we can take: refuse"},
		{owing, hangupWe, ended, sendUnavailable, "hang up before the answer: 480"},
		{owing, cancelHeard, ended, sendTerminated, "cancelled: 487 (9.2)"},
		{owing, byeHeard, ended, sendOKAndTerminated, "a caller may end an early dialog with BYE (15, 15.1.2)"},

		{answered, ackHeard, confirmed, stopResending, "the ACK arrives (13.3.1.4)"},
		{answered, resendDue, answered, resendAnswer, "no ACK yet: T1, doubling up to T2 (13.3.1.4)"},
		{answered, ackMissed, ending, sendBye, "no ACK in 64*T1: BYE (13.3.1.4)"},
		{answered, cancelHeard, answered, nothing, "200 crosses CANCEL: the 200 stands (9.2)"},
		{answered, byeHeard, ended, sendOK, "BYE before ACK"},
		{answered, hangupWe, leaving, nothing, "no BYE before the ACK (15)"},

		{leaving, ackHeard, ending, sendBye, "the ACK arrives: now BYE (15)"},
		{leaving, resendDue, leaving, resendAnswer, "no ACK yet: T1, doubling up to T2 (13.3.1.4)"},
		{leaving, ackMissed, ending, sendBye, "no ACK in 64*T1: BYE (13.3.1.4)"},
		{leaving, cancelHeard, leaving, nothing, "200 crosses CANCEL: the 200 stands (9.2)"},
		{leaving, byeHeard, ended, sendOK, "BYE before ACK"},
		{leaving, hangupWe, leaving, nothing, "hung up already"},
	}
}

// callerRows are those of a call of ours, until its answer.
func callerRows() []row {
	return []row{
		{calling, provisionalHeard, proceeding, tellProgress, "progress (13.2.2.1)"},
		{calling, successHeard, confirmed, sendACK, "answered: ACK (13.2.2.4)"},
		{calling, intervalHeard, calling, sendInviteAgain, "422: again, with the interval that it asks for (RFC 4028 7.4)"},
		{calling, challengeHeard, calling, sendInviteAgain, "asked who we are: say it (22.2)"},
		{calling, refusalHeard, ended, nothing, "refused; the transaction sends the ACK (17.1.1.2)"},
		{calling, noAnswer, ended, nothing, "no answer: timer B (17.1.1.2)"},
		{calling, hangupWe, givingUp, nothing, "no CANCEL before a provisional answer (9.1)"},

		{proceeding, provisionalHeard, proceeding, tellProgress, "progress (13.2.2.1)"},
		{proceeding, successHeard, confirmed, sendACK, "answered: ACK (13.2.2.4)"},
		{proceeding, disagreed, cancelling, sendCancel, "the early answer is none to agree to: CANCEL (9.1)"},
		{proceeding, intervalHeard, calling, sendInviteAgain, "422: again, with the interval that it asks for (RFC 4028 7.4)"},
		{proceeding, challengeHeard, calling, sendInviteAgain, "asked who we are: say it (22.2)"},
		{proceeding, refusalHeard, ended, nothing, "refused; the transaction sends the ACK (17.1.1.2)"},
		{proceeding, noAnswer, ended, nothing, "the network is gone"},
		{proceeding, hangupWe, cancelling, sendCancel, "give up: CANCEL (9.1)"},

		{givingUp, provisionalHeard, cancelling, sendCancel, "now the CANCEL that was owed (9.1)"},
		{givingUp, successHeard, ending, sendACKAndBye, "answered after all: ACK, then BYE (9.1)"},
		{givingUp, refusalHeard, ended, nothing, "refused meanwhile"},
		{givingUp, noAnswer, ended, nothing, "no answer: timer B (17.1.1.2)"},
		{givingUp, hangupWe, givingUp, nothing, "hung up already"},

		{cancelling, provisionalHeard, cancelling, nothing, "progress comes too late"},
		{cancelling, successHeard, ending, sendACKAndBye, "CANCEL crosses 200: ACK, then BYE (9.1)"},
		{cancelling, refusalHeard, ended, nothing, "cancelled: 487 (9.1)"},
		{cancelling, noAnswer, ended, nothing, "no final answer in 64*T1 after CANCEL (9.1)"},
		{cancelling, hangupWe, cancelling, nothing, "hung up already"},
	}
}

// upRows are those of a call that is up, and of its end.
func upRows() []row {
	return []row{
		{confirmed, byeHeard, ended, sendOK, "the peer hangs up (15.1.2)"},
		{confirmed, hangupWe, ending, sendBye, "hang up (15.1.1)"},
		{confirmed, ackHeard, confirmed, stopResending, "the ACK to a re-INVITE's 2xx, or one repeated (14.2)"},
		{confirmed, disagreed, ending, sendBye, "the peer's answer is none, or no good: BYE (14.1, 13.2.2.4)"},
		{confirmed, refreshTurn, confirmed, sendRefresh, "our turn to refresh the session (RFC 4028 7.4, 9)"},
		{confirmed, sessionExpired, ending, sendBye, "nobody has refreshed it: BYE (RFC 4028 10)"},
		{confirmed, peerGone, ending, sendBye, "408, 481 or nothing for our refresh: BYE (12.2.1.2)"},
		{confirmed, resendDue, confirmed, resendAnswer, "no ACK to a re-INVITE's 2xx yet (14.2)"},
		{confirmed, ackMissed, ending, sendBye, "no ACK to a re-INVITE's 2xx in 64*T1: BYE (14.2)"},
		{confirmed, successAgain, confirmed, sendACKAgain, "our ACK was lost (13.2.2.4)"},
		{confirmed, cancelHeard, confirmed, nothing, "CANCEL comes too late (9.2)"},

		{ending, byeAnswered, ended, nothing, "BYE is answered, or never will be (15.1.1)"},
		{ending, byeHeard, ending, sendOK, "BYE crosses BYE"},
		{ending, successAgain, ending, sendACKAgain, "our ACK was lost (13.2.2.4)"},
		{ending, ackHeard, ending, nothing, "an ACK that comes too late"},
		{ending, cancelHeard, ending, nothing, "CANCEL comes too late (9.2)"},
		{ending, hangupWe, ending, nothing, "hung up already"},
	}
}

func (s state) String() string {
	switch s {
	case incoming:
		return "Incoming"
	case ringing:
		return "Ringing"
	case ringingSurely:
		return "Ringing surely"
	case owing:
		return "Owing"
	case answered:
		return "Answered"
	case leaving:
		return "Leaving"
	case calling:
		return "Calling"
	case proceeding:
		return "Proceeding"
	case givingUp:
		return "Giving up"
	case cancelling:
		return "Cancelling"
	case confirmed:
		return "Confirmed"
	case ending:
		return "Ending"
	case ended:
		return "Ended"
	}
	return "none"
}

func (e event) String() string {
	names := [...]string{
		ringWe:           "we ring",
		ringSurelyWe:     "we ring surely",
		soundWe:          "we sound",
		answerWe:         "we answer",
		rejectWe:         "we refuse",
		hangupWe:         "we hang up",
		cancelHeard:      "CANCEL",
		ackHeard:         "ACK",
		byeHeard:         "BYE",
		prackHeard:       "PRACK",
		provisionalHeard: "1xx",
		successHeard:     "2xx",
		successAgain:     "2xx again",
		refusalHeard:     "3xx-6xx",
		challengeHeard:   "401, 407",
		byeAnswered:      "BYE answered",
		resendDue:        "2xx due again",
		disagreed:        "no agreement",
		ringDue:          "180 due again",
		prackMissed:      "no PRACK",
		refreshTurn:      "refresh due",
		sessionExpired:   "session expires",
		intervalHeard:    "422",
		peerGone:         "refresh failed",
		ackMissed:        "no ACK",
		noAnswer:         "no answer",
	}
	if int(e) >= len(names) {
		return "none"
	}
	return names[e]
}

func (a action) String() string {
	switch a {
	case nothing:
		return "-"
	case sendRinging:
		return "180"
	case sendProgress:
		return "183 with our answer"
	case sendRingingSurely:
		return "180 with RSeq, and again until PRACK"
	case resendRinging:
		return "180 again"
	case sendPrackOK:
		return "200 to PRACK"
	case sendPrackOKAndAnswer:
		return "200 to PRACK; 200, and again until ACK"
	case sendTimeout:
		return "504"
	case sendRefresh:
		return "UPDATE or re-INVITE"
	case sendAnswer:
		return "200, and again until ACK"
	case sendRefusal:
		return "the refusal"
	case sendUnavailable:
		return "480"
	case sendTerminated:
		return "487"
	case sendOK:
		return "200 to BYE"
	case sendOKAndTerminated:
		return "200 to BYE, 487 to INVITE"
	case stopResending:
		return "stop sending 200"
	case resendAnswer:
		return "200 again"
	case sendBye:
		return "BYE"
	case tellProgress:
		return "tell the caller"
	case sendInviteAgain:
		return "INVITE again"
	case sendACK:
		return "ACK"
	case sendACKAgain:
		return "ACK again"
	case sendACKAndBye:
		return "ACK, BYE"
	case sendCancel:
		return "CANCEL"
	}
	return "none"
}
