package ivr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"passerelle/codec/opus"
)

const (
	// longest is what a recording may last.
	longest = time.Minute
	// breath is the silence after a recording, so that sentences in a row are sentences.
	breath = 250 * time.Millisecond

	opusClock   = 48000 // Hz, of all figures in Ogg (RFC 7845 section 4)
	longestPack = 120 * time.Millisecond
)

// recording is one prompt in one language: compressed, and as sound once somebody has asked for it.
type recording struct {
	packets [][]byte
	skip    int    // samples at opusClock before the sound begins
	end     uint64 // samples at opusClock where it ends, skip included
	words   string // what is said, if the file tells

	once sync.Once
	pcm  []int16
}

// parseRecording reads an Ogg file of mono Opus (RFC 7845).
func parseRecording(file []byte) (*recording, error) {
	packets, end, err := oggPackets(file)
	if err != nil {
		return nil, err
	}
	if len(packets) < 3 {
		return nil, ErrOpus
	}
	head, tags := packets[0], packets[1]
	// Version 0 or 1, one channel (RFC 7845 section 5.1).
	if len(head) < 19 || !bytes.HasPrefix(head, []byte("OpusHead")) || head[8] > 15 || head[9] != 1 || head[18] != 0 {
		return nil, ErrOpus
	}
	if !bytes.HasPrefix(tags, []byte("OpusTags")) || end > uint64(longest.Seconds()*opusClock) {
		return nil, ErrOpus
	}
	r := &recording{packets: packets[2:], skip: int(binary.LittleEndian.Uint16(head[10:])), end: end}
	if uint64(r.skip) >= end {
		return nil, ErrOpus
	}
	r.words = title(tags)
	return r, nil
}

// title returns the title that an OpusTags packet names, or nothing (RFC 7845 section 5.2).
func title(tags []byte) string {
	rest := tags[8:]
	next := func() (text []byte, ok bool) {
		if len(rest) < 4 {
			return nil, false
		}
		size := binary.LittleEndian.Uint32(rest)
		if uint64(size) > uint64(len(rest)-4) {
			return nil, false
		}
		text, rest = rest[4:4+size], rest[4+size:]
		return text, true
	}
	if _, ok := next(); !ok || len(rest) < 4 { // the vendor
		return ""
	}
	rest = rest[4:] // how many there are
	for {
		comment, ok := next()
		if !ok {
			return ""
		}
		if key, value, _ := bytes.Cut(comment, []byte("=")); bytes.EqualFold(key, []byte("title")) {
			return string(value)
		}
	}
}

// sound returns the recording at rate, in Hz, and a breath after it; always at the same rate, always the
// same slice. A packet that cannot be decoded is silent: the others are worth hearing.
func (r *recording) sound(rate int) []int16 {
	r.once.Do(func() { r.pcm = r.decode(rate) })
	return r.pcm
}

func (r *recording) decode(rate int) []int16 {
	decoder, err := opus.NewDecoder(rate)
	if err != nil { // Load has opened one at this rate
		return nil
	}
	defer decoder.Close()
	length, skip := int(r.end)*rate/opusClock, r.skip*rate/opusClock
	pcm := make([]int16, 0, length+samples(breath+longestPack, rate))
	packet := make([]int16, samples(longestPack, rate))
	for _, payload := range r.packets {
		n, err := decoder.Decode(packet, payload)
		if err != nil {
			n = samples(20*time.Millisecond, rate)
			clear(packet[:n])
		}
		pcm = append(pcm, packet[:n]...)
		if len(pcm) >= length {
			break
		}
	}
	pcm = pcm[min(skip, len(pcm)):min(length, len(pcm))]
	return append(pcm, make([]int16, samples(breath, rate))...)
}

// check decodes nothing, but says whether a decoder can be had at rate.
func check(rate int) error {
	decoder, err := opus.NewDecoder(rate)
	if err != nil {
		return fmt.Errorf("voices at %d Hz: %w", rate, err)
	}
	return decoder.Close()
}

// samples in d at rate, in Hz.
func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }
