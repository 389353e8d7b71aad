package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zaf/g711"
)

// Read reads a whole WAV file: linear 16-bit samples, or G.711 mu-law or A-law. Channels are mixed to
// one. Sound that is cut short, or of unknown length (0 or 0xFFFFFFFF), ends where r ends.
func Read(r io.Reader) (pcm []int16, rate int, err error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return nil, 0, cut(err)
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return nil, 0, ErrFormat
	}
	var f format
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, 0, cut(err)
		}
		size := binary.LittleEndian.Uint32(head[4:])
		switch string(head[:4]) {
		case "fmt ":
			if f, err = readFormat(r, size); err != nil {
				return nil, 0, err
			}
		case "data":
			pcm, err := f.readSound(r, size)
			return pcm, f.rate, err
		default:
			// Chunks are padded to an even size.
			if _, err := io.CopyN(io.Discard, r, int64(size)+int64(size&1)); err != nil {
				return nil, 0, cut(err)
			}
		}
	}
}

// format is what a fmt chunk says.
type format struct {
	code     uint16
	channels int
	rate     int
}

func readFormat(r io.Reader, size uint32) (format, error) {
	if size < 16 || size > 1024 {
		return format{}, fmt.Errorf("%w: a fmt chunk of %d bytes", ErrFormat, size)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return format{}, cut(err)
	}
	f := format{
		code:     binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
	}
	if f.code == formatExtensible && size >= 40 {
		// The first two bytes of the sub-format's GUID are the code that would have stood first.
		f.code = binary.LittleEndian.Uint16(b[24:])
	}
	if f.channels < 1 || f.channels > MaxChannels {
		return format{}, fmt.Errorf("%w: %d channels", ErrEncoding, f.channels)
	}
	if err := checkRate(f.rate); err != nil {
		return format{}, err
	}
	bits := int(binary.LittleEndian.Uint16(b[14:]))
	if width := f.width(); width == 0 || bits != 8*width {
		return format{}, fmt.Errorf("%w: format %#x with %d bits", ErrEncoding, f.code, bits)
	}
	return f, nil
}

// width returns a sample's size in bytes; 0 for what is not read here.
func (f format) width() int {
	switch f.code {
	case formatPCM:
		return 2
	case formatALaw, formatMuLaw:
		return 1
	}
	return 0
}

func (f format) readSound(r io.Reader, size uint32) ([]int16, error) {
	if f.width() == 0 {
		return nil, fmt.Errorf("%w: sound before its format", ErrFormat)
	}
	want := int64(size)
	if size == 0 || size == unknownSize {
		want = MaxData + 1
	} else if size > MaxData {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, size)
	}
	b, err := io.ReadAll(io.LimitReader(r, want))
	if err != nil {
		return nil, fmt.Errorf("read WAV: %w", err)
	}
	if len(b) > MaxData {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLong, MaxData)
	}
	return f.decode(b), nil
}

func (f format) decode(b []byte) []int16 {
	width := f.width()
	pcm := make([]int16, len(b)/(width*f.channels))
	for i := range pcm {
		sum := 0
		for range f.channels {
			sum += int(f.sample(b))
			b = b[width:]
		}
		pcm[i] = int16(sum / f.channels)
	}
	return pcm
}

func (f format) sample(b []byte) int16 {
	switch f.code {
	case formatALaw:
		return g711.DecodeAlawFrame(b[0])
	case formatMuLaw:
		return g711.DecodeUlawFrame(b[0])
	}
	return int16(binary.LittleEndian.Uint16(b))
}

// cut names the error of a header that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends before the sound", ErrFormat)
	}
	return fmt.Errorf("read WAV: %w", err)
}
