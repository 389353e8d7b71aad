package ivr

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Errors of files that are not what a voice is made of.
var (
	ErrOgg     = errors.New("not an Ogg file, or a broken one")
	ErrOpus    = errors.New("not one stream of mono Opus")
	ErrTooLong = errors.New("longer than a minute")
)

const pageHeader = 27 // bytes before a page's segment table (RFC 3533 section 6)

// oggPackets takes the packets of the only stream out of an Ogg file, and the granule position at which
// the last page says that the stream ends. Checksums are not looked at: the files come with the program,
// or from whoever runs it. The packets of a page are parts of file where they can be.
func oggPackets(file []byte) (packets [][]byte, end uint64, err error) {
	var open []byte // a packet that goes on in the next page
	var going bool
	for len(file) > 0 {
		if len(file) < pageHeader || !bytes.HasPrefix(file, []byte("OggS\x00")) {
			return nil, 0, ErrOgg
		}
		count := int(file[26])
		if len(file) < pageHeader+count {
			return nil, 0, ErrOgg
		}
		if granule := binary.LittleEndian.Uint64(file[6:]); granule != noGranule {
			end = granule
		}
		lacing, body := file[pageHeader:pageHeader+count], file[pageHeader+count:]
		// A segment of 255 bytes goes on in the next one (RFC 3533 section 5).
		size := 0
		for _, segment := range lacing {
			size += int(segment)
			if size > len(body) {
				return nil, 0, ErrOgg
			}
			if segment == 255 {
				continue
			}
			packet := body[:size:size]
			if going {
				packet, open, going = append(open, packet...), nil, false
			}
			packets = append(packets, packet)
			body, size = body[size:], 0
		}
		if size > 0 {
			open, going = append(open, body[:size]...), true
			body = body[size:]
		}
		file = body
	}
	if going {
		return nil, 0, ErrOgg
	}
	return packets, end, nil
}

// noGranule is the position of a page on which no packet ends (RFC 3533 section 6).
const noGranule = ^uint64(0)
