package sfu

import "time"

// The clock of Opus in RTP, in Hz (RFC 7587 section 4.1), and one frame of 20 ms in it.
const (
	clockRate = 48000
	frameTime = clockRate / 50
)

// A piece ends by itself where its numbers jump further than loss explains.
const (
	maxSeqJump  = 1000
	maxTimeJump = 10 * time.Second // beyond the time that has passed
)

// splice makes one RTP stream of pieces of many: sequence numbers and timestamps of each piece are moved
// so that they go on where the piece before ended. Within a piece the distances stay as they came, so
// that a receiver sees what was lost or reordered on the way here. The zero value begins at zero; outSeq
// and outTime may be set to random values first.
type splice struct {
	inPiece bool
	began   bool // something was written

	seqOff  uint16
	timeOff uint32

	inSeq  uint16 // the newest packet as it came in
	inTime uint32

	outSeq  uint16 // ... as it went out, and when
	outTime uint32
	at      time.Duration
	sent    uint64 // bit n: the number n before it is used up (another packet under it would break SRTP)
}

// cut ends the piece; the next packet begins another.
func (s *splice) cut() { s.inPiece = false }

// next returns the numbers of a packet on its way out. begins tells that a new piece begins with it; ok is
// false for a packet that must not go out: a duplicate, or one from before its piece.
func (s *splice) next(seq uint16, timestamp uint32, at time.Duration) (outSeq uint16, outTime uint32, begins, ok bool) {
	if s.inPiece && s.jumps(seq, timestamp, at) {
		s.cut()
	}
	if !s.inPiece {
		s.begin(seq, timestamp, at)
		return s.outSeq, s.outTime, true, true
	}
	outSeq, outTime = seq+s.seqOff, timestamp+s.timeOff
	ahead := int16(seq - s.inSeq) // serial number arithmetic, RFC 1982
	if ahead <= 0 {
		behind := uint64(1) << uint16(-ahead) // 0 for what is too late to be told from a duplicate
		ok = behind != 0 && s.sent&behind == 0
		s.sent |= behind
		return outSeq, outTime, false, ok
	}
	s.inSeq, s.inTime = seq, timestamp
	s.outSeq, s.outTime, s.at = outSeq, outTime, max(at, s.at)
	s.sent = s.sent<<ahead | 1
	return outSeq, outTime, false, true
}

// jumps says whether a packet cannot belong to the piece: its numbers go where loss, reordering and
// silence do not lead.
func (s *splice) jumps(seq uint16, timestamp uint32, at time.Duration) bool {
	ahead := int16(seq - s.inSeq)
	if ahead > maxSeqJump || ahead < -maxSeqJump {
		return true
	}
	if ahead <= 0 {
		return false
	}
	later := int32(timestamp - s.inTime)
	return later <= 0 || later > ticks(at-s.at+maxTimeJump)
}

// begin makes a packet the first of a piece: one sequence number on, and as much later as time has passed,
// at least a frame.
func (s *splice) begin(seq uint16, timestamp uint32, at time.Duration) {
	if s.began {
		s.outSeq++
		s.outTime += uint32(max(frameTime, ticks(at-s.at)))
	}
	s.began, s.inPiece = true, true
	s.seqOff, s.timeOff = s.outSeq-seq, s.outTime-timestamp
	s.inSeq, s.inTime = seq, timestamp
	s.at = max(at, s.at)
	s.sent = ^uint64(0) // numbers before the piece belong to another
}

// ticks returns d in the RTP clock of Opus, wrapped like every RTP time.
func ticks(d time.Duration) int32 {
	const perMillisecond = clockRate / 1000
	return int32(int64(d) * perMillisecond / int64(time.Millisecond)) // RTP time wraps
}
