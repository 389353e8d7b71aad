package ivr

import "time"

// StarTimeout is how long a star waits for the key that makes it a command.
const StarTimeout = 2 * time.Second

// Command is what a caller asks of the gateway by keys during a call.
type Command uint8

// The commands, and their keys.
const (
	None       Command = iota
	ToggleMute         // *6
	Hand               // *9, raise or lower
	SayHelp            // *0, say Help
)

// Keys tells the commands of a caller from the digits that are for the room. The zero Keys begins; it
// belongs to one goroutine, and knows no clock: its owner calls Late when StarTimeout has passed since a
// Press after which Pending holds.
type Keys struct{ star bool }

// Press takes a key, one of 0-9, *, #, A-D. It returns the command that it completes, if any, and the
// keys to pass on to the room, if any.
func (k *Keys) Press(key rune) (c Command, pass string) {
	if !k.star {
		if key == '*' {
			k.star = true
			return None, ""
		}
		return None, string(key)
	}
	if key == '*' { // the first was for the room, the second may not be
		return None, "*"
	}
	k.star = false
	switch key {
	case '6':
		return ToggleMute, ""
	case '9':
		return Hand, ""
	case '0':
		return SayHelp, ""
	}
	return None, "*" + string(key)
}

// Pending tells whether a star waits for the next key.
func (k *Keys) Pending() bool { return k.star }

// Late returns the star that waited in vain, to be passed on to the room.
func (k *Keys) Late() (pass string) {
	if !k.star {
		return ""
	}
	k.star = false
	return "*"
}
