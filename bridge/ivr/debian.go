package ivr

import (
	"io/fs"
	"maps"
	"os"
)

// DebianFolder is where Debian's packages asterisk-core-sounds-*-wav put their recordings.
const DebianFolder = "/usr/share/asterisk/sounds"

// studio is a set of recordings of Debian: a language, where it is, and which of them, one after the other, say what of ours.
type studio struct {
	language, folder string
	takes            map[Prompt][]string
}

func studios() []studio {
	english := studioTakes()
	maps.Copy(english, englishTakes())
	return []studio{{"en", "en_US_f_Allison", english}, {"fr", "fr_CA_f_June", studioTakes()}}
}

// studioTakes are in both languages, under the same names.
func studioTakes() map[Prompt][]string {
	return map[Prompt][]string{
		FirstHere:        {"conf-onlyperson"},
		RoomFull:         {"conf-full"},
		RoomClosed:       {"confbridge-conf-end"},
		Removed:          {"confbridge-removed"},
		RecordingStarted: {"conf-now-recording"},
		Muted:            {"conf-muted"},
		Unmuted:          {"conf-unmuted"},
		HasJoined:        {"conf-hasjoin"},
		HasLeft:          {"conf-hasleft"},
		Unassigned:       {"ss-noservice"},
		Goodbye:          {"goodbye"},
	}
}

// englishTakes are for English alone. The French are of Quebec, where the pound key is le carré, which nobody in France
// has on a telephone: what asks for keys is said by another voice there.
func englishTakes() map[Prompt][]string {
	return map[Prompt][]string{
		Welcome:      {"hello"},
		EnterPIN:     {"confbridge-pin"},
		WrongPIN:     {"conf-invalidpin"},
		Incomplete:   {"im-sorry", "please-try-again"},
		NoInput:      {"vm-sorry"},
		TooManyTries: {"confbridge-pin-bad"},
		OneMoment:    {"one-moment-please"},
		Failed:       {"im-sorry", "please-try-call-later"},
		SayName:      {"vm-rec-name"},
	}
}

// addDebian adds the recordings of Debian's packages, as far as they are there.
func (v *Voices) addDebian(folder string) {
	for _, s := range studios() {
		l, files := make(voice), os.DirFS(folder)
		for p, names := range s.takes {
			if takes := takesOf(files, s.folder, names); takes != nil {
				l[p] = &recording{take: takes}
			}
		}
		v.add(s.language, folder+"/"+s.folder, l)
	}
}

// takesOf reads recordings; nil if one of them is not there, or is none.
func takesOf(files fs.FS, folder string, names []string) mastered {
	var takes mastered
	for _, name := range names {
		file, err := readFile(files, folder+"/"+name+".wav")
		if err != nil {
			return nil
		}
		take, err := parseWAV(file)
		if err != nil {
			return nil
		}
		takes = append(takes, take)
	}
	return takes
}
