package ivr

import (
	"os"
)

// DebianFolder is where Debian's packages asterisk-core-sounds-*-wav put their recordings.
const DebianFolder = "/usr/share/asterisk/sounds"

// studio is a set of recordings of Debian: a language, and where it is.
type studio struct{ language, folder string }

func studios() []studio {
	return []studio{{"en", "en_US_f_Allison"}, {"fr", "fr_CA_f_June"}}
}

// addDebian adds the recordings of Debian's packages, as far as they are there.
func (v *Voices) addDebian(folder string) {
	for _, s := range studios() {
		l, files := make(voice), os.DirFS(folder)
		for p, names := range studioTakes() {
			var takes mastered
			for _, name := range names {
				file, err := readFile(files, s.folder+"/"+name+".wav")
				if err != nil {
					break
				}
				take, err := parseWAV(file)
				if err != nil {
					break
				}
				takes = append(takes, take)
			}
			if len(takes) == len(names) {
				l[p] = &recording{take: takes}
			}
		}
		v.add(s.language, folder+"/"+s.folder, l)
	}
}

// studioTakes is what these recordings can say of ours, and which of them say it, one after the other. They have the
// same names in each language.
func studioTakes() map[Prompt][]string {
	return map[Prompt][]string{
		Welcome:          {"hello"},
		EnterPIN:         {"confbridge-pin"},
		WrongPIN:         {"conf-invalidpin"},
		Incomplete:       {"im-sorry", "please-try-again"},
		NoInput:          {"vm-sorry"},
		TooManyTries:     {"confbridge-pin-bad"},
		OneMoment:        {"one-moment-please"},
		Failed:           {"im-sorry", "please-try-call-later"},
		Goodbye:          {"goodbye"},
		FirstHere:        {"conf-onlyperson"},
		RoomFull:         {"conf-full"},
		RoomClosed:       {"confbridge-conf-end"},
		Removed:          {"confbridge-removed"},
		RecordingStarted: {"conf-now-recording"},
		Muted:            {"conf-muted"},
		Unmuted:          {"conf-unmuted"},
		SayName:          {"vm-rec-name"},
		HasJoined:        {"conf-hasjoin"},
		HasLeft:          {"conf-hasleft"},
		Unassigned:       {"ss-noservice"},
	}
}
