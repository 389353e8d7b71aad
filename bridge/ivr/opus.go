package ivr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"passerelle/codec/opus"
)

const (
	opusClock   = 48000 // Hz, of all figures in Ogg (RFC 7845 section 4)
	longestPack = 120 * time.Millisecond
)

// opusTake is an Ogg file of mono Opus.
type opusTake struct {
	packets [][]byte
	skip    int    // samples at opusClock before the sound begins
	end     uint64 // samples at opusClock where it ends, skip included
	words   string // what is said, if the file tells
}

// parseOpus reads an Ogg file of mono Opus (RFC 7845).
func parseOpus(file []byte) (*opusTake, error) {
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
	if !bytes.HasPrefix(tags, []byte("OpusTags")) {
		return nil, ErrOpus
	}
	if end > uint64(longest.Seconds()*opusClock) {
		return nil, ErrTooLong
	}
	o := &opusTake{packets: packets[2:], skip: int(binary.LittleEndian.Uint16(head[10:])), end: end}
	if uint64(o.skip) >= end {
		return nil, ErrOpus
	}
	o.words = title(tags)
	return o, nil
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

// decode returns the sound at rate. A packet that cannot be decoded is silent: the others are worth hearing.
func (o *opusTake) decode(rate int) []int16 {
	decoder, err := opus.NewDecoder(rate)
	if err != nil { // Open has opened one at this rate
		return nil
	}
	defer decoder.Close()
	length, skip := int(o.end)*rate/opusClock, o.skip*rate/opusClock
	pcm := make([]int16, 0, length+samples(breath+longestPack, rate))
	packet := make([]int16, samples(longestPack, rate))
	for _, payload := range o.packets {
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
	return pcm[min(skip, len(pcm)):min(length, len(pcm))]
}

// check decodes nothing, but says whether a decoder can be had at rate.
func check(rate int) error {
	decoder, err := opus.NewDecoder(rate)
	if err != nil {
		return fmt.Errorf("voices at %d Hz: %w", rate, err)
	}
	return decoder.Close()
}
