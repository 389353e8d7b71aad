package opus

import (
	"fmt"

	"github.com/hraban/opus"
)

// Config says how to encode. Only Rate has no sensible zero.
type Config struct {
	Rate        int  // of the sound, in Hz: 8000, 16000 or 48000
	Complexity  int  // 1 (cheapest) to 10; 0 means 5
	Bitrate     int  // in bit/s, FEC included; 0 means what speech at Rate needs
	FEC         bool // carry the previous frame again in each packet, as LossPercent warrants
	LossPercent int  // packets expected to be lost, 0 to 100
}

// Encoder encodes one stream of mono speech. It makes a packet of each frame: silence is for the caller
// to find, and DTX packets for the caller to send.
type Encoder struct {
	lib  *opus.Encoder
	rate int
	loss int  // percent, as libopus knows it
	toc  byte // of the packet before
}

// NewEncoder returns an Encoder for speech.
func NewEncoder(cfg Config) (*Encoder, error) {
	if err := checkRate(cfg.Rate); err != nil {
		return nil, err
	}
	lib, err := opus.NewEncoder(cfg.Rate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("open opus encoder: %w", err)
	}
	if cfg.Complexity == 0 {
		cfg.Complexity = 5
	}
	if cfg.Bitrate == 0 {
		cfg.Bitrate = bitrate(cfg.Rate)
	}
	e := &Encoder{lib: lib, rate: cfg.Rate, toc: firstTOC(cfg.Rate)}
	if err := lib.SetComplexity(cfg.Complexity); err != nil {
		return nil, fmt.Errorf("opus encoder: complexity %d: %w", cfg.Complexity, err)
	}
	if err := lib.SetBitrate(cfg.Bitrate); err != nil {
		return nil, fmt.Errorf("opus encoder: bitrate %d: %w", cfg.Bitrate, err)
	}
	if err := lib.SetInBandFEC(cfg.FEC); err != nil {
		return nil, fmt.Errorf("opus encoder: FEC: %w", err)
	}
	if err := e.SetLoss(cfg.LossPercent); err != nil {
		return nil, err
	}
	return e, nil
}

// SetLoss tells how many packets of a hundred are expected to be lost: the more, the better the FEC.
// Telling the same again costs nothing.
func (e *Encoder) SetLoss(percent int) error {
	if percent == e.loss {
		return nil
	}
	if err := checkLoss(percent); err != nil {
		return err
	}
	if err := e.lib.SetPacketLossPerc(percent); err != nil {
		return fmt.Errorf("opus encoder: loss of %d%%: %w", percent, err)
	}
	e.loss = percent
	return nil
}

// Encode codes all of pcm, a frame of 2.5, 5, 10, 20, 40 or 60 ms, as one packet into dst. MaxPacket
// bytes are always enough.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if !isFrame(len(pcm), e.rate) {
		return 0, ErrFrame
	}
	n, err := e.lib.Encode(pcm, dst[:len(dst):len(dst)])
	if err != nil {
		return 0, fmt.Errorf("encode opus: %w", err)
	}
	e.toc = dst[0]
	return n, nil
}

// DTXPayload writes the packet that says "silence from here" into dst, which has room for a byte, and
// returns its length, 1. It is what libopus itself sends: the TOC of the frame before (RFC 6716
// section 3.1) and no frame. libopus decodes it by fading to comfort noise. WebRTC's receivers take
// packets of one or two bytes for comfort noise: Chromium, sent one at the beginning of each pause and
// every 400 ms of it, concealed nothing there and lost no onset; sent nothing in pauses, it concealed
// half of what followed and its delay grew to 0.8 s.
func (e *Encoder) DTXPayload(dst []byte) (n int) {
	return dtxPayload(dst, e.toc)
}

func dtxPayload(dst []byte, toc byte) int {
	dst[0] = toc &^ 3 // one frame, also after a packet of several
	return 1
}

// Reset forgets the stream's past, as after a gap. The configuration stays.
func (e *Encoder) Reset() {
	// OPUS_RESET_STATE cannot fail on an open encoder.
	_ = e.lib.Reset()
}

// Close has nothing to free: the state is Go's memory.
func (e *Encoder) Close() error { return nil }

// bitrate returns what speech at rate needs. Measured on speech: each is at least 1.2 times what
// libopus wants before it spends any on FEC at that bandwidth, at any loss (with less it narrows the
// sound first); without loss, another third would bring 0.5 dB.
func bitrate(rate int) int {
	switch rate {
	case 8000:
		return 24000
	case 16000:
		return 32000
	}
	return 40000
}

// firstTOC is that of a 20 ms frame as an encoder at rate makes it: SILK at 8 and 16 kHz, hybrid at 48
// (RFC 6716 section 3.1).
func firstTOC(rate int) byte {
	switch rate {
	case 8000:
		return 1 << 3
	case 16000:
		return 9 << 3
	}
	return 15 << 3
}

func isFrame(samples, rate int) bool {
	if !isWhole(samples, rate) {
		return false
	}
	switch samples / (rate / 400) {
	case 1, 2, 4, 8, 16, 24:
		return true
	}
	return false
}
