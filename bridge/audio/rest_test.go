package audio

import "testing"

// A phone that has been silent for two seconds gives its encoder back, and so does one that is closed.
func TestEncoderRestsInSilence(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	encoder := h.phone.up.encoder.(*plainOpus)
	h.speak(20*ms, 50)
	h.hush(20*ms, 100) // of it 200 ms are a hang-over
	if encoder.rests != 0 {
		t.Errorf("the encoder rested after less than %v of silence", restAfter)
	}
	h.hush(20*ms, 40)
	if encoder.rests == 0 {
		t.Errorf("the encoder did not rest after %v of silence", restAfter)
	}
	encoder.rests = 0
	h.speak(20*ms, 50)
	h.hush(20*ms, 20)
	if encoder.rests != 0 {
		t.Error("the encoder rested as soon as the second talk was over")
	}
	h.phone.Close()
	if encoder.rests == 0 {
		t.Error("the encoder did not rest when the phone was closed")
	}
}

// Only packets that wait have buffers in a jitter buffer: what was played went back to the ring, or waits for it.
func TestBuffersOfWhatWaits(t *testing.T) {
	c := newCrowd(t, 2, 1)
	for range 500 {
		c.step()
	}
	j := c.phones[0].voice.Load()
	for range 3 {
		c.say()
		c.n++
	}
	j.take()
	full, held := 0, 0
	for _, s := range j.slots {
		if s.pcm != nil {
			full++
		}
		if s.held {
			held++
		}
	}
	if full != held || held < 3 {
		t.Errorf("%d slots have buffers, %d hold a packet", full, held)
	}
	if n := len(j.spare); n > 4 {
		t.Errorf("%d buffers are spare in a steady stream", n)
	}
}
