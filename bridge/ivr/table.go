package ivr

import (
	"slices"
	"time"
)

// The menu as a table: what happens to it in which state, what it does about it, and where that leads.
// It is pure: dialogue.go counts and remembers, run.go has the clock, the ear and the lookup.
// docs/menu.md has this table, printed.

// state is where a menu is.
type state uint8

const (
	fresh     state = iota + 1
	asking          // something is being said; keys count already
	listening       // all has been said, and no digit of a PIN has come
	entering        // some digits have come
	finding         // a PIN is being looked up; nothing is said
	waiting         // ... it takes long: the caller is being asked for a moment
	holding         // ... it takes longer: music
	admitting       // the PIN is right; the sentence is finished
	leaving         // the last words are being said
	admitted        // the end
	gone            // the other end
)

// event is what happens to a menu.
type event uint8

const (
	cameBare  event = iota + 1 // a call without a PIN
	cameOdd                    // ... with one that cannot be right
	cameReady                  // ... with one to look up
	keyDigit                   // not the last one
	keyEnd                     // the digit, the pound or the pause that makes a PIN whole
	keyShort                   // the pound or the pause after too few digits
	keyPound                   // before any digit
	keyStar
	said       // all that was to be said
	late       // nothing came in time
	silentLast // late, or too short, once too often
	rightPIN
	wrongPIN
	wrongLast // once too often
	trouble   // the lookup failed
	overtime  // the caller has been here for too long
)

// action is what a menu does about an event.
type action uint8

const (
	nothing action = iota + 1
	keep           // the digit
	lookUp         // the digits
	ask            // for the PIN, after the words of the row
	askAll         // ... having told of the other languages
	turn           // to the next language, and ask
	say            // the words of the row
	playMusic
)

// row is one line of the table, named by its rule.
type row struct {
	from  state
	event event
	to    state
	do    action
	words Prompt // to be said; a PIN is asked for, or goodbye is said, after them
	rule  string
}

// next returns what follows e in state s; false where the table has no row: the event is then ignored.
func next(s state, e event) (row, bool) {
	rows := menuTable()
	i := slices.IndexFunc(rows, func(r row) bool { return r.from == s && r.event == e })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// ended tells whether nothing follows s.
func (s state) ended() bool { return s == admitted || s == gone }

const (
	firstDigit = 8 * time.Second // from the end of the question
	nextDigit  = 4 * time.Second
	quickly    = 1500 * time.Millisecond // what a lookup may take before the caller is told; a wrong PIN takes a second
	allInAll   = 4 * time.Minute
)

// patience is how long a menu stays in s before the event late; zero is for ever.
func (s state) patience() time.Duration {
	switch s {
	case listening:
		return firstDigit
	case entering:
		return nextDigit
	case finding:
		return quickly
	}
	return 0
}

// menuTable returns the rows in the order of a call.
func menuTable() []row {
	return []row{
		{fresh, cameBare, asking, askAll, "", "the call came without a PIN"},
		{fresh, cameReady, finding, lookUp, "", "the call came with a PIN: nothing is asked"},
		{fresh, cameOdd, asking, askAll, WrongPIN, "the call came with something that is no PIN"},
		{fresh, wrongLast, leaving, say, TooManyTries, "... and there was one try only"},

		{asking, keyDigit, entering, keep, "", "a digit interrupts what is being said"},
		{asking, keyEnd, finding, lookUp, "", "a PIN of one digit"},
		{asking, keyPound, asking, turn, "", "pound alone changes the language"},
		{asking, keyStar, asking, askAll, "", "star starts over"},
		{asking, said, listening, nothing, "", "now it is the caller's turn"},
		{asking, overtime, leaving, say, Goodbye, "four minutes are enough"},

		{listening, keyDigit, entering, keep, "", "the first digit"},
		{listening, keyEnd, finding, lookUp, "", "a PIN of one digit"},
		{listening, keyPound, asking, turn, "", "pound alone changes the language"},
		{listening, keyStar, asking, askAll, "", "star starts over"},
		{listening, late, asking, askAll, NoInput, "8 s without a key: ask again"},
		{listening, silentLast, leaving, say, Goodbye, "... but not for ever"},
		{listening, overtime, leaving, say, Goodbye, "four minutes are enough"},

		{entering, keyDigit, entering, keep, "", "one more digit"},
		{entering, keyEnd, finding, lookUp, "", "the last digit, or pound, or, for PINs of any length, 4 s without a key"},
		{entering, keyShort, asking, ask, Incomplete, "pound, or 4 s without a key, too soon: nobody is asked, no try is lost"},
		{entering, silentLast, leaving, say, Goodbye, "... but not for ever"},
		{entering, keyStar, asking, askAll, "", "star forgets the digits and starts over"},
		{entering, overtime, leaving, say, Goodbye, "four minutes are enough"},

		{finding, rightPIN, admitted, nothing, "", "the PIN is right"},
		{finding, wrongPIN, asking, ask, WrongPIN, "the PIN is wrong: ask again"},
		{finding, wrongLast, leaving, say, TooManyTries, "... but not for ever"},
		{finding, trouble, leaving, say, Failed, "nobody could say whether the PIN is right"},
		{finding, late, waiting, say, OneMoment, "it takes more than 1 s"},

		{waiting, said, holding, playMusic, "", "it takes even longer"},
		{waiting, rightPIN, admitting, nothing, "", "the PIN is right; no sentence is cut short"},
		{waiting, wrongPIN, asking, ask, WrongPIN, "the PIN is wrong: ask again"},
		{waiting, wrongLast, leaving, say, TooManyTries, "... but not for ever"},
		{waiting, trouble, leaving, say, Failed, "nobody could say whether the PIN is right"},

		{holding, rightPIN, admitted, nothing, "", "the PIN is right"},
		{holding, wrongPIN, asking, ask, WrongPIN, "the PIN is wrong: ask again"},
		{holding, wrongLast, leaving, say, TooManyTries, "... but not for ever"},
		{holding, trouble, leaving, say, Failed, "nobody could say whether the PIN is right"},

		{admitting, said, admitted, nothing, "", "the PIN is right"},

		{leaving, said, gone, nothing, "", "all has been said"},
	}
}
