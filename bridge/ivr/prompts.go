package ivr

import "strings"

// Prompt names one sentence that every language has. The words are in voices/en.txt and voices/fr.txt.
type Prompt string

// What is said in the menu.
const (
	Welcome       Prompt = "welcome"
	EnterPIN      Prompt = "enter-pin"
	OtherLanguage Prompt = "other-language" // in the language that the pound key changes to
	WrongPIN      Prompt = "wrong-pin"
	Incomplete    Prompt = "incomplete" // too few digits: nobody was asked about them
	NoInput       Prompt = "no-input"
	TooManyTries  Prompt = "too-many-tries"
	OneMoment     Prompt = "one-moment" // the PIN is being looked up
)

// What is said on the way into a room, and instead of it.
const (
	FirstHere  Prompt = "first-here"
	Waiting    Prompt = "waiting" // in the lobby
	Denied     Prompt = "denied"
	Unanswered Prompt = "unanswered"
	Encrypted  Prompt = "encrypted"
	RoomFull   Prompt = "room-full"
	Failed     Prompt = "failed" // technical trouble: call again later
	Goodbye    Prompt = "goodbye"
)

// What is said in a room.
const (
	SoundOnly            Prompt = "sound-only" // at entry, to whoever offered video
	Reconnecting         Prompt = "reconnecting"
	ReconnectedBack      Prompt = "reconnected-back"
	RecordingStarted     Prompt = "recording-started"
	RecordingStopped     Prompt = "recording-stopped"
	RecordingRuns        Prompt = "recording-runs" // already, at entry
	TranscriptionStarted Prompt = "transcription-started"
	TranscriptionStopped Prompt = "transcription-stopped"
	TranscriptionRuns    Prompt = "transcription-runs" // already, at entry
	Muted                Prompt = "muted"
	Unmuted              Prompt = "unmuted"
	MutedByModerator     Prompt = "muted-by-moderator"
	UnmutedByModerator   Prompt = "unmuted-by-moderator"
	HandRaised           Prompt = "hand-raised"
	HandLowered          Prompt = "hand-lowered"
	LoudestAlready       Prompt = "loudest"
	SoftestAlready       Prompt = "softest"
	RoomClosed           Prompt = "room-closed"
	Removed              Prompt = "removed"
	TimeUp               Prompt = "time-up"
	StayedAlone          Prompt = "stayed-alone"
)

// What is said of people, where their names are asked for: to them, and after each name to the others.
const (
	SayName   Prompt = "say-name"
	HasJoined Prompt = "has-joined"
	HasLeft   Prompt = "has-left"
)

// What is said in pieces: each of these is followed by the names of keys, key-0 to key-9, key-star and key-pound.
const (
	HelpMute   Prompt = "help-mute"
	HelpHand   Prompt = "help-hand"
	HelpSofter Prompt = "help-softer"
	HelpLouder Prompt = "help-louder"
	HelpHelp   Prompt = "help-again"
	SpeakAgain Prompt = "speak-again" // after MutedByModerator
)

// What is said instead of a room: by an echo test, and where a call leads nowhere.
const (
	Echo         Prompt = "echo"
	CodecPCMA    Prompt = "codec-pcma"
	CodecPCMU    Prompt = "codec-pcmu"
	CodecG722    Prompt = "codec-g722"
	CodecOpus    Prompt = "codec-opus"
	LossNone     Prompt = "loss-none"
	LossLittle   Prompt = "loss-little" // below 1 %
	LossSome     Prompt = "loss-some"   // below 5 %
	LossMuch     Prompt = "loss-much"
	DelayShort   Prompt = "delay-short"  // below 150 ms, there and back
	DelayMedium  Prompt = "delay-medium" // below 400 ms
	DelayLong    Prompt = "delay-long"
	DelayUnknown Prompt = "delay-unknown"
	Closed       Prompt = "closed" // outside of the opening hours
	Unassigned   Prompt = "unassigned"
	Emergency    Prompt = "emergency" // cannot be reached from here
)

// isKey tells whether p is the name of a key.
func (p Prompt) isKey() bool { return strings.HasPrefix(string(p), keyPrefix) }

// What is said of a call out: in the room, and to who is called.
const (
	Busy           Prompt = "busy"
	NoAnswer       Prompt = "no-answer"
	NotReachable   Prompt = "not-reachable"
	CallRefused    Prompt = "call-refused"
	NumberUnknown  Prompt = "number-unknown"
	CallNotAllowed Prompt = "call-not-allowed"
	CallFailed     Prompt = "call-failed"
	PressToJoin    Prompt = "press-to-join" // a key
	LastMinute     Prompt = "last-minute"   // of the call
)

// Prompts returns all of them, in no order that matters.
func Prompts() []Prompt {
	return []Prompt{
		Welcome, EnterPIN, OtherLanguage, WrongPIN, Incomplete, NoInput, TooManyTries, OneMoment,
		FirstHere, Waiting, Denied, Unanswered, Encrypted, RoomFull, Failed, Goodbye,
		SoundOnly, Reconnecting, ReconnectedBack, RecordingStarted, RecordingStopped, RecordingRuns,
		TranscriptionStarted, TranscriptionStopped, TranscriptionRuns,
		Muted, Unmuted, MutedByModerator, UnmutedByModerator, HandRaised, HandLowered, LoudestAlready, SoftestAlready,
		RoomClosed, Removed, TimeUp, StayedAlone,
		SayName, HasJoined, HasLeft,
		HelpMute, HelpHand, HelpSofter, HelpLouder, HelpHelp, SpeakAgain,
		"key-0", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7", "key-8", "key-9", "key-star", "key-pound",
		Echo, CodecPCMA, CodecPCMU, CodecG722, CodecOpus, LossNone, LossLittle, LossSome, LossMuch,
		DelayShort, DelayMedium, DelayLong, DelayUnknown, Closed, Unassigned, Emergency,
		Busy, NoAnswer, NotReachable, CallRefused, NumberUnknown, CallNotAllowed, CallFailed, PressToJoin, LastMinute,
	}
}
