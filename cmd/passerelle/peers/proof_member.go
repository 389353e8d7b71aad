//go:build peers

package peers

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/opus"
	"passerelle/codec/score"
	"passerelle/codec/wav"
	"passerelle/rooms/livekit/livekittest"
	"passerelle/rooms/roomstest"
)

// Member is a WebRTC participant of a LiveKit room who hums or speaks, and keeps what it hears voice by voice.
type Member struct {
	Name   string
	person roomstest.Person

	orders chan [][]byte // speech: a packet every 20 ms
	quit   chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex
	idle   [][]byte // packets that are sent while nothing is said
	voices []*heardVoice
}

// heardVoice is one participant's voice, as another member hears it.
type heardVoice struct {
	decoder     *opus.Decoder
	first, last uint32 // RTP timestamps, at 48000 Hz
	seq         uint16 // of the last packet
	hearing     Hearing
	pcm         []int16 // at score.Rate, laid where the timestamps say
}

// JoinMember brings a member into a room until the test ends, or Leave.
func JoinMember(t testing.TB, server *livekittest.Server, room, name string) *Member {
	t.Helper()
	m := &Member{
		Name: name, person: livekittest.Join(t, server, room, name, livekittest.JoinOptions{}),
		orders: make(chan [][]byte), quit: make(chan struct{}),
	}
	m.work.Go(m.listen) // both end with quit
	m.work.Go(m.speak)
	t.Cleanup(m.stop)
	return m
}

// stop ends the member's sound; the person leaves by itself.
func (m *Member) stop() {
	m.mu.Lock()
	select {
	case <-m.quit:
	default:
		close(m.quit)
	}
	m.mu.Unlock()
	m.work.Wait()
}

// Leave leaves the room.
func (m *Member) Leave(t testing.TB) {
	t.Helper()
	m.stop()
	if err := m.person.Leave(); err != nil {
		t.Errorf("%s leaves: %v", m.Name, err)
	}
}

// Hum has the member hum while it says nothing.
func (m *Member) Hum(t testing.TB, hum Hum) {
	t.Helper()
	const frames = 60
	packets, _, err := encodeOpus(slices.Repeat(hum.PCM(48000), frames))
	if err != nil {
		t.Fatalf("%s hums: %v", m.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = packets[frames/6:] // the encoder has settled
}

// Hush has the member be silent while it says nothing.
func (m *Member) Hush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = nil
}

// Say speaks, and returns when all is said.
func (m *Member) Say(t testing.TB, s Speech) {
	t.Helper()
	file, err := os.Open(s.WAV(48000))
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	defer file.Close()
	pcm, _, err := wav.Read(file)
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	packets, _, err := encodeOpus(pcm)
	if err != nil {
		t.Fatalf("%s speaks: %v", m.Name, err)
	}
	m.orders <- packets
	time.Sleep(time.Duration(len(packets)) * humFrame)
}

// speak sends a packet every 20 ms, if there is one to send.
func (m *Member) speak() {
	const talking = 30 // -dBov
	var said [][]byte
	begin := time.Now()
	for n := 0; ; n++ {
		select {
		case <-time.After(time.Until(begin.Add(time.Duration(n) * humFrame))):
		case <-m.quit:
			return
		}
		if len(said) == 0 {
			select {
			case said = <-m.orders:
			default:
			}
		}
		if len(said) > 0 {
			_ = m.person.Speak(said[0], talking)
			said = said[1:]
			continue
		}
		m.mu.Lock()
		idle := m.idle
		m.mu.Unlock()
		if len(idle) > 0 {
			_ = m.person.Speak(idle[n%len(idle)], talking)
		}
	}
}

// listen keeps all that comes.
func (m *Member) listen() {
	pcm := make([]int16, 960)
	for {
		select {
		case <-m.quit:
			return
		case f, ok := <-m.person.Heard():
			if !ok {
				return
			}
			at := time.Now()
			m.mu.Lock()
			if v := m.voice(f.Seq, f.Timestamp); v != nil {
				v.hear(at, &f, pcm)
			}
			m.mu.Unlock()
		}
	}
}

// voice finds whose voice a packet continues: each begins its numbers anywhere. The lock is held.
func (m *Member) voice(seq uint16, timestamp uint32) *heardVoice {
	const seconds = 20
	for _, v := range m.voices {
		d, n := int32(timestamp-v.last), int16(seq-v.seq)
		if max(d, -d) < seconds*48000 && max(n, -n) < seconds*50 {
			return v
		}
	}
	decoder, err := opus.NewDecoder(score.Rate)
	if err != nil {
		return nil
	}
	v := &heardVoice{decoder: decoder, first: timestamp, last: timestamp, seq: seq}
	m.voices = append(m.voices, v)
	return v
}

func (v *heardVoice) hear(at time.Time, f *codec.Frame, pcm []int16) {
	n, err := v.decoder.Decode(pcm, f.Payload)
	if err != nil {
		return
	}
	if int32(f.Timestamp-v.last) > 0 {
		v.last, v.seq = f.Timestamp, f.Seq
	}
	v.hearing.add(at, pcm[:n])
	begin := int(int32(f.Timestamp-v.first)) * score.Rate / 48000
	if missing := begin - len(v.pcm); missing >= 0 {
		v.pcm = append(append(v.pcm, make([]int16, missing)...), pcm[:n]...)
	}
}

// Hears returns in how many of the voices that the member hears a hum is steady from a time on, and since when.
func (m *Member) Hears(hum Hum, after time.Time) (voices int, since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.voices {
		if at, ok := v.hearing.Steady(hum, after); ok {
			if voices++; voices == 1 || at.Before(since) {
				since = at
			}
		}
	}
	return voices, since
}

// Voices returns what the member has heard, voice by voice.
func (m *Member) Voices() (all []Hearing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.voices {
		all = append(all, Hearing{Who: m.Name, pieces: slices.Clone(v.hearing.pieces)})
	}
	return all
}

// Recordings returns the same as sound.
func (m *Member) Recordings() (all []Recording) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.voices {
		all = append(all, Recording{Who: m.Name, PCM: slices.Clone(v.pcm), Path: "not kept"})
	}
	return all
}
