package wav

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

const headerSize = 44

// Write writes a whole file.
func Write(w io.Writer, pcm []int16, rate int) error {
	if err := checkRate(rate); err != nil {
		return err
	}
	if len(pcm) > MaxData/2 {
		return ErrTooLong
	}
	b := make([]byte, headerSize+2*len(pcm))
	putHeader(b, rate, uint32(2*len(pcm)))
	for i, s := range pcm {
		binary.LittleEndian.PutUint16(b[headerSize+2*i:], uint16(s))
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	return nil
}

// Writer writes a file while the sound is being heard. Until Close the file says that its length is
// unknown, so that a recording that is cut short can be read nevertheless.
type Writer struct {
	file io.WriteSeeker
	buf  *bufio.Writer
	rate int
	size uint32
	err  error // of a Write; nothing is written after it
}

// NewWriter begins a file of mono sound at rate, in Hz. The caller closes w after the Writer.
func NewWriter(w io.WriteSeeker, rate int) (*Writer, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	var head [headerSize]byte
	putHeader(head[:], rate, unknownSize)
	if _, err := w.Write(head[:]); err != nil {
		return nil, fmt.Errorf("write WAV: %w", err)
	}
	return &Writer{file: w, buf: bufio.NewWriterSize(w, 16<<10), rate: rate}, nil
}

// Write appends sound. It reaches the file some 8000 samples at a time.
func (w *Writer) Write(pcm []int16) error {
	if w.err != nil {
		return w.err
	}
	if len(pcm) > (MaxData-int(w.size))/2 {
		w.err = ErrTooLong
		return w.err
	}
	for _, s := range pcm {
		var b [2]byte
		binary.LittleEndian.PutUint16(b[:], uint16(s))
		if _, err := w.buf.Write(b[:]); err != nil {
			w.err = fmt.Errorf("write WAV: %w", err)
			return w.err
		}
	}
	w.size += uint32(2 * len(pcm))
	return nil
}

// Close writes what is left and the length. The file itself stays open.
func (w *Writer) Close() error {
	if err := w.buf.Flush(); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	var head [headerSize]byte
	putHeader(head[:], w.rate, w.size)
	if _, err := w.file.Write(head[:]); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	if _, err := w.file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	return nil
}

// putHeader writes the RIFF, fmt and data headers for mono 16-bit sound of size bytes.
func putHeader(b []byte, rate int, size uint32) {
	le := binary.LittleEndian
	copy(b, "RIFF")
	if size == unknownSize {
		le.PutUint32(b[4:], unknownSize)
	} else {
		le.PutUint32(b[4:], headerSize-8+size)
	}
	copy(b[8:], "WAVEfmt ")
	le.PutUint32(b[16:], 16)
	le.PutUint16(b[20:], formatPCM)
	le.PutUint16(b[22:], 1)
	le.PutUint32(b[24:], uint32(rate))
	le.PutUint32(b[28:], uint32(2*rate))
	le.PutUint16(b[32:], 2)
	le.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	le.PutUint32(b[40:], size)
}
