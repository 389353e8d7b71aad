package bridge

import (
	"context"
	"slices"
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
)

// sayTimeout bounds how long the gateway waits for its own words to be said.
const sayTimeout = 20 * time.Second

// speaker is what the gateway itself says to one phone: sentence after sentence, and music between them.
// It belongs to the call's goroutine.
type speaker struct {
	phone    *audio.Phone
	voices   *ivr.Voices
	language string
	said     []*audio.Player // sentences that may not be over yet, in their order
	music    *audio.Player   // nil while there is none
}

var _ ivr.Console = (*speaker)(nil)

// say says something after all that is being said.
func (s *speaker) say(prompts ...ivr.Prompt) *audio.Player {
	return s.play(s.voices.Say(s.language, prompts...))
}

// play plays a sound after all that is being said.
func (s *speaker) play(pcm []int16) *audio.Player {
	p := s.phone.Play(audio.Sound{PCM: pcm, After: s.last()})
	s.said = append(slices.DeleteFunc(s.said, over), p)
	return p
}

// note plays short notes at a level in dBov, over whatever is being said.
func (s *speaker) note(dbov float64, hertz ...float64) {
	s.phone.Play(audio.Sound{PCM: ivr.Notes(s.voices.Rate(), dbov, hertz...)})
}

// tell says who came or went, by the name that somebody said, after all that is being said.
func (s *speaker) tell(m movement) {
	s.play(m.name)
	s.say(either(m.left, ivr.HasLeft, ivr.HasJoined))
}

// over reports whether a sound has been heard.
func over(p *audio.Player) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// last returns the latest sentence; nil before the first.
func (s *speaker) last() *audio.Player {
	if len(s.said) == 0 {
		return nil
	}
	return s.said[len(s.said)-1]
}

// hush breaks off all that is being said, and the music.
func (s *speaker) hush() {
	s.resume()
	for _, p := range s.said {
		p.Stop()
	}
	s.said = nil
}

// hold plays music after all that is being said, until resume.
func (s *speaker) hold() {
	if s.music == nil {
		s.music = s.phone.Play(audio.Sound{PCM: s.voices.Music(), Loop: true, After: s.last()})
	}
}

// resume ends the music.
func (s *speaker) resume() {
	if s.music != nil {
		s.music.Stop()
		s.music = nil
	}
}

// finish waits until all has been said.
func (s *speaker) finish(ctx context.Context) {
	last := s.last()
	if last == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sayTimeout)
	defer cancel()
	select {
	case <-last.Done():
	case <-ctx.Done():
	}
}

// Play is how a menu speaks to the phone.
func (s *speaker) Play(pcm []int16, loop bool) ivr.Playing {
	return s.phone.Play(audio.Sound{PCM: pcm, Loop: loop})
}
