package livekit

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// roster is who is in a room, as LiveKit tells it.
type roster struct {
	prefix string // of this gateway's identities
	people map[string]*person
}

// person is one participant, by identity.
type person struct {
	sid     string
	version uint32
	who     rooms.Participant
	tracks  []string // sids of the audio tracks
	silent  []string // ... that are muted
}

func newRoster(prefix string) roster { return roster{prefix: prefix, people: make(map[string]*person)} }

// take takes one line of an update, and returns what changed by it; nil if nothing did.
func (r *roster) take(p *livekit.ParticipantInfo) *rooms.Change {
	id := p.GetIdentity()
	old := r.people[id]
	if p.GetState() == livekit.ParticipantInfo_DISCONNECTED {
		if old == nil || old.sid != p.GetSid() { // a session that was replaced
			return nil
		}
		delete(r.people, id)
		return &rooms.Change{Kind: rooms.Left, Participant: old.who}
	}
	if p.GetPermission().GetHidden() || old != nil && old.sid == p.GetSid() && p.GetVersion() < old.version {
		return nil
	}
	n := &person{sid: p.GetSid(), version: p.GetVersion(), who: participantOf(p), tracks: audioTracks(p, false), silent: audioTracks(p, true)}
	r.people[id] = n
	switch {
	case old == nil:
		return &rooms.Change{Kind: rooms.Joined, Participant: n.who}
	case same(old.who, n.who):
		return nil
	}
	return &rooms.Change{Kind: rooms.Changed, Participant: n.who}
}

// wanted returns the tracks of everybody who is not ours.
func (r *roster) wanted() []string {
	var sids []string
	for id, p := range r.people {
		if !strings.HasPrefix(id, r.prefix) {
			sids = append(sids, p.tracks...)
		}
	}
	slices.Sort(sids)
	return sids
}

// owner returns who publishes a track.
func (r *roster) owner(sid string) (rooms.Participant, bool) {
	for _, p := range r.people {
		if slices.Contains(p.tracks, sid) {
			return p.who, true
		}
	}
	return rooms.Participant{}, false
}

// muted reports whether a track is.
func (r *roster) muted(sid string) bool {
	for _, p := range r.people {
		if slices.Contains(p.silent, sid) {
			return true
		}
	}
	return false
}

// published reports whether somebody of that identity is here, with a voice.
func (r *roster) published(identity string) bool {
	p := r.people[identity]
	return p != nil && len(p.tracks) > 0
}

func same(a, b rooms.Participant) bool {
	if a.ID != b.ID || a.Name != b.Name || a.Kind != b.Kind || a.Muted != b.Muted || len(a.Attributes) != len(b.Attributes) {
		return false
	}
	for k, v := range a.Attributes {
		if w, ok := b.Attributes[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// participantOf is a participant as package rooms knows them. Muted is whoever has a microphone and has it off.
func participantOf(p *livekit.ParticipantInfo) rooms.Participant {
	who := rooms.Participant{ID: p.GetIdentity(), Name: p.GetName(), Attributes: p.GetAttributes()}
	switch p.GetKind() {
	case livekit.ParticipantInfo_SIP:
		who.Kind = rooms.Phone
	case livekit.ParticipantInfo_AGENT, livekit.ParticipantInfo_EGRESS, livekit.ParticipantInfo_INGRESS:
		who.Kind = rooms.Agent
	}
	if who.Kind == rooms.Phone {
		status := who.Attributes[statusAttribute]
		who.Calling = status == statusDialing || status == "ringing"
	}
	for _, t := range p.GetTracks() {
		if t.GetType() == livekit.TrackType_AUDIO && t.GetSource() == livekit.TrackSource_MICROPHONE {
			who.Muted = t.GetMuted()
		}
	}
	return who
}

// audioTracks returns the sids of somebody's audio tracks, or of those that are muted.
func audioTracks(p *livekit.ParticipantInfo, muted bool) []string {
	var sids []string
	for _, t := range p.GetTracks() {
		if t.GetType() == livekit.TrackType_AUDIO && (t.GetMuted() || !muted) {
			sids = append(sids, t.GetSid())
		}
	}
	return sids
}

// known takes the roster at the door.
func (r *room) known(all []*livekit.ParticipantInfo) error {
	if encrypted(all) {
		return rooms.ErrEncrypted
	}
	return nil
}

// begun takes the roster of a new session: those who are not in it have left meanwhile.
func (r *room) begun(all []*livekit.ParticipantInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	present := make(map[string]bool)
	for _, p := range all {
		present[p.GetIdentity()] = true
		r.change(r.roster.take(p))
	}
	for id, p := range r.roster.people {
		if !present[id] {
			delete(r.roster.people, id)
			r.change(&rooms.Change{Kind: rooms.Left, Participant: p.who})
		}
	}
}

// change tells the listener; before that, voices end whose owners have left. Called with mu held.
func (r *room) change(c *rooms.Change) {
	if c == nil || r.closed {
		return
	}
	r.ear.refresh()
	r.l.Participant(*c)
}

// update takes changes of the roster, and asks for the voices that are new.
func (r *room) update(s *session, all []*livekit.ParticipantInfo) error {
	if encrypted(all) {
		r.tell(rooms.Encrypted)
	}
	r.mu.Lock()
	before := r.roster.wanted()
	for _, p := range all {
		if p.GetIdentity() != r.link.identity {
			r.change(r.roster.take(p))
		}
	}
	after := r.roster.wanted()
	r.wake()
	r.mu.Unlock()
	var fresh []string
	for _, sid := range after {
		if !slices.Contains(before, sid) {
			fresh = append(fresh, sid)
		}
	}
	return r.subscribe(s, fresh, true)
}

func (r *room) wanted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.roster.wanted()
}

// state is what is known of the room as a whole.
type state struct{ recording, transcribing bool }

// maxMetadata bounds what is read of a room's metadata, in bytes.
const maxMetadata = 64 << 10

// stateOf reads a room: LiveKit says that something records, Meet what and how far it is in the metadata.
func stateOf(m *livekit.Room) state {
	var meet struct {
		Status string `json:"recording_status"`
		Mode   string `json:"recording_mode"`
	}
	if text := m.GetMetadata(); len(text) <= maxMetadata {
		_ = json.Unmarshal([]byte(text), &meet) // other applications have metadata of their own
	}
	runs := meet.Status == "starting" || meet.Status == "started"
	if strings.Contains(meet.Mode, "transcript") {
		return state{transcribing: runs, recording: m.GetActiveRecording() && !runs}
	}
	return state{recording: runs || m.GetActiveRecording()}
}

// room takes what is said of the room as a whole.
func (r *room) room(m *livekit.Room) {
	if m == nil {
		return
	}
	n := stateOf(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.state
	r.state = n
	if r.closed {
		return
	}
	if n.recording != old.recording {
		r.l.Room(either(n.recording, rooms.RecordingOn, rooms.RecordingOff))
	}
	if n.transcribing != old.transcribing {
		r.l.Room(either(n.transcribing, rooms.TranscriptionOn, rooms.TranscriptionOff))
	}
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}
