package livekit

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
)

// mostCandidates bounds what is kept of the server's addresses: nobody has more.
const mostCandidates = 64

// trickle takes one of the server's candidates.
func (s *session) trickle(m *livekit.TrickleRequest) {
	var c webrtc.ICECandidateInit
	if err := json.Unmarshal([]byte(m.GetCandidateInit()), &c); err == nil && c.Candidate != "" {
		s.candidates(c)
	}
}

// candidates uses candidates of the server's, or keeps them until ripen is called.
func (s *session) candidates(all ...webrtc.ICECandidateInit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ripe || s.pc == nil {
		s.early = append(s.early, all[:min(len(all), mostCandidates-len(s.early))]...)
		return
	}
	for _, c := range all {
		if err := s.pc.AddICECandidate(c); err != nil {
			s.link.log.Debug("a candidate of LiveKit's is of no use", "error", err)
		}
	}
}

// ripen begins to use the server's candidates: both descriptions are known.
func (s *session) ripen() {
	s.mu.Lock()
	early := s.early
	s.ripe, s.early = true, nil
	s.mu.Unlock()
	s.candidates(early...)
}

// unripe keeps candidates that come from now on.
func (s *session) unripe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ripe = false
}

// headStart is by how much our answer goes before our first packets. A server that hears from an address before it
// knows the address waits a second for a better one (pion's PrflxAcceptanceMinWait).
const headStart = 25 * time.Millisecond

// seatHeadStart is what a server needs from sending its answer to hearing our first packet. One that it does not hear
// comes again after 200 ms (pion's check interval).
const seatHeadStart = 8 * time.Millisecond

// ripenSoon begins to use the server's candidates when our answer has had its head start.
func (s *session) ripenSoon(headStart time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.head != nil {
		s.head.Stop()
	}
	s.head = time.AfterFunc(headStart, s.ripen)
}

// withoutCandidates takes the candidates out of a description.
func withoutCandidates(text string) (string, []webrtc.ICECandidateInit) {
	var kept strings.Builder
	var candidates []webrtc.ICECandidateInit
	mid, found := "0", make(map[string]bool)
	for line := range strings.SplitAfterSeq(text, "\n") {
		value := strings.TrimRight(line, "\r\n")
		if c, ok := strings.CutPrefix(value, "a=candidate:"); ok {
			if !found[c] { // each is in every media section
				found[c] = true
				candidates = append(candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + c, SDPMid: &mid})
			}
			continue
		}
		if value != "a=end-of-candidates" {
			kept.WriteString(line)
		}
	}
	return kept.String(), candidates
}
