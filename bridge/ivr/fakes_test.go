package ivr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const sentence = 2 * time.Second // every prompt of the fake voices

// fakeVoices says nothing in several languages; each prompt is known by its address.
func fakeVoices(languages ...string) (*Voices, map[*int16]string) {
	v := &Voices{rate: 8000, languages: make(map[string][]voice)}
	names := make(map[*int16]string)
	for _, l := range languages {
		v.languages[l] = []voice{make(voice)}
		for _, p := range Prompts() {
			r := &recording{pcm: make([]int16, samples(sentence, 8000))}
			r.once.Do(func() {})
			v.languages[l][0][p], names[&r.pcm[0]] = r, l+" "+string(p)
		}
	}
	music := make([]int16, 8000)
	names[&music[0]] = "music"
	v.music = func() []int16 { return music }
	return v, names
}

// ear is a Console that writes down what was heard when.
type ear struct {
	names map[*int16]string
	began time.Time

	mu      sync.Mutex
	heard   strings.Builder
	playing int
	sounds  sync.WaitGroup
}

func (e *ear) note(format string, args ...any) {
	fmt.Fprintf(&e.heard, "%7.2fs  ", time.Since(e.began).Seconds())
	fmt.Fprintf(&e.heard, format, args...)
	e.heard.WriteByte('\n')
}

// write is note for other goroutines.
func (e *ear) write(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note(format, args...)
}

func (e *ear) Play(pcm []int16, loop bool) Playing {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &sound{ear: e, name: e.names[&pcm[0]], done: make(chan struct{}), stopped: make(chan struct{})}
	e.note("%s", s.name)
	e.playing++
	e.sounds.Go(func() {
		defer close(s.done)
		var end <-chan time.Time
		if !loop {
			end = time.After(time.Duration(len(pcm)) * time.Second / 8000)
		}
		select {
		case <-end:
		case <-s.stopped:
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.playing--
	})
	return s
}

type sound struct {
	ear     *ear
	name    string
	done    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

func (s *sound) Done() <-chan struct{} { return s.done }

func (s *sound) Stop() {
	s.once.Do(func() {
		select {
		case <-s.done:
		default:
			s.ear.write("      stopped: %s", s.name)
		}
		close(s.stopped)
	})
}

var errRedis = errors.New("the registry does not answer")

// registry knows PINs, and takes its time.
type registry struct {
	ear     *ear
	pins    []string
	slow    time.Duration
	broken  bool
	lookups int
	at      int // at this moment
	most    int // ... at most
}

func (r *registry) find(ctx context.Context, pin string) error {
	r.lookups++
	r.at++
	r.most = max(r.most, r.at)
	defer func() { r.at-- }()
	r.ear.write("      looked up: %s", pin)
	if r.slow > 0 {
		select {
		case <-time.After(r.slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch {
	case r.broken:
		return errRedis
	case slices.Contains(r.pins, pin):
		return nil
	}
	return fmt.Errorf("ask the registry: %w", ErrUnknown)
}
