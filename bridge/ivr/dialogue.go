package ivr

import (
	"errors"
	"strings"
	"unicode"
)

// maxDigits is the longest PIN; further digits would be somebody leaning on a key.
const maxDigits = 32

// dialogue is one caller's way through the table: it tells what the table's events are, counts tries and
// silences, and knows what the table's actions mean. It is pure, as the table is.
type dialogue struct {
	menu     Menu // with all its defaults filled in
	state    state
	language int // of menu.Languages
	digits   []rune
	wrong    int
	silent   int
	greeted  bool
	overdue  bool
	trailing bool // the PIN was whole without a pound: one that comes now ends it, and means nothing
}

// line is a sentence to be said.
type line struct {
	language string
	words    Prompt
}

// orders are what the world has to do after an event, in this order.
type orders struct {
	stop   bool   // what is being said or played
	say    []line // after what is being said
	music  bool   // play it, in a loop
	lookUp string // this PIN; "" for none
	moved  bool   // a state was entered, if only again: its patience begins
}

// begin is the first event: what came with the call.
func (d *dialogue) begin(first string) orders {
	d.state = fresh
	pin := strings.TrimSuffix(withoutBlanks(first), "#")
	switch {
	case pin == "":
		return d.step(cameBare)
	case d.isPIN(pin):
		d.digits = []rune(pin)
		return d.step(cameReady)
	}
	return d.found(ErrUnknown)
}

// press is a key.
func (d *dialogue) press(key rune) orders {
	switch {
	case key >= '0' && key <= '9':
		d.trailing = false
		if d.state != asking && d.state != listening && d.state != entering {
			return orders{} // the table has no row for digits elsewhere
		}
		d.digits = append(d.digits, key)
		d.trailing = len(d.digits) == d.longest()
		if d.trailing {
			return d.step(keyEnd)
		}
		return d.step(keyDigit)
	case key == '*':
		d.trailing = false
		return d.step(keyStar)
	case key != '#':
		return orders{}
	case d.trailing:
		d.trailing = false
		return orders{}
	case len(d.digits) > 0:
		return d.entered()
	}
	return d.step(keyPound)
}

// tooLate is the end of a state's patience.
func (d *dialogue) tooLate() orders {
	switch d.state {
	case listening:
		return d.mute(late)
	case entering:
		return d.entered()
	}
	return d.step(late)
}

// entered is the end of a PIN that the caller or the clock declared.
func (d *dialogue) entered() orders {
	if len(d.digits) < d.menu.Digits {
		return d.mute(keyShort)
	}
	return d.step(keyEnd)
}

// mute is an event without a PIN to look up: e, unless it came too often.
func (d *dialogue) mute(e event) orders {
	if d.silent++; d.silent >= d.menu.Tries {
		e = silentLast
	}
	return d.step(e)
}

// allSaid is the end of everything that was to be said.
func (d *dialogue) allSaid() orders {
	d.trailing = false
	return d.step(said)
}

// enough is the end of the time that a caller has.
func (d *dialogue) enough() orders {
	d.overdue = true
	return d.step(overtime)
}

// found is the answer to a lookup.
func (d *dialogue) found(err error) orders {
	switch {
	case err == nil:
		return d.step(rightPIN)
	case !errors.Is(err, ErrUnknown):
		return d.step(trouble)
	}
	d.wrong++
	switch {
	case d.wrong >= d.menu.Tries || d.overdue:
		return d.step(wrongLast)
	case d.state == fresh:
		return d.step(cameOdd)
	}
	return d.step(wrongPIN)
}

// step asks the table, and does what it says.
func (d *dialogue) step(e event) orders {
	r, ok := next(d.state, e)
	if !ok {
		return orders{}
	}
	d.state = r.to
	// No sentence is cut short by what the caller did not do.
	o := orders{moved: true, stop: r.from != waiting}
	switch r.do {
	case keep, nothing:
	case lookUp:
		o.lookUp = string(d.digits)
	case ask:
		o.say = d.question(r.words, false)
	case askAll:
		o.say = d.question(r.words, true)
	case turn:
		d.language = (d.language + 1) % len(d.menu.Languages)
		o.say = d.question(r.words, false)
	case say:
		o.say = d.sentence(r.words)
		if r.to == leaving && r.words != Goodbye {
			o.say = append(o.say, d.sentence(Goodbye)...)
		}
	case playMusic:
		o.music = true
	}
	if r.to != entering {
		d.digits = nil
	}
	return o
}

// question asks for a PIN, after some words if there are any: with a welcome the first time.
func (d *dialogue) question(words Prompt, all bool) (said []line) {
	if !d.greeted {
		said = d.sentence(Welcome)
	}
	if words != "" {
		said = append(said, d.sentence(words)...)
	}
	if all || !d.greeted {
		for i := 1; i < len(d.menu.Languages); i++ {
			other := d.menu.Languages[(d.language+i)%len(d.menu.Languages)]
			said = append(said, line{other, OtherLanguage})
		}
	}
	d.greeted = true
	return append(said, d.sentence(EnterPIN)...)
}

// sentence is in the caller's language.
func (d *dialogue) sentence(p Prompt) []line { return []line{{d.menu.Languages[d.language], p}} }

// longest returns how many digits make a PIN whole without a pound.
func (d *dialogue) longest() int {
	if d.menu.Digits > 0 {
		return d.menu.Digits
	}
	return maxDigits
}

// isPIN tells whether a PIN could be right.
func (d *dialogue) isPIN(pin string) bool {
	for _, r := range pin {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(pin) <= d.longest() && len(pin) >= max(d.menu.Digits, 1)
}

// withoutBlanks is for PINs as people write them: 012 345 6789.
func withoutBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
