package audio

import "passerelle/codec"

// hear sends the phone what it hears of its mix in tick n: everybody but itself. Called on the shard.
func (p *Phone) hear(w *scratch, n int64) {
	if p.gone.Load() {
		return
	}
	if p.held.Load() {
		if len(p.players) > 0 { // they go by: who waits for their end does not wait for the phone
			p.players = play(p.players, w.played)
		}
		return
	}
	if line := p.line.Load(); line != p.down.line {
		p.down.change(line)
	}
	if err := p.send(w, n); err != nil {
		p.down.errors.add(1)
	}
}

// send encodes what the phone hears, and writes it to the line.
func (p *Phone) send(w *scratch, n int64) error {
	line := p.down.line
	own := p.own
	if !p.sounds {
		own = nil
	}
	if line.encoder == nil {
		payload, err := p.sendG711(w, own)
		if err == nil {
			p.down.write(p.out, n, payload, &w.frame)
		}
		return err
	}
	mixed := p.others(w, own)
	p.overlay(w, mixed)
	p.volume.turn(w, mixed)
	if line.kind == codec.Opus {
		return p.down.speak(p.out, n, mixed, &w.frame)
	}
	size, err := line.encoder.Encode(w.bytes, mixed)
	if err == nil {
		p.down.write(p.out, n, w.bytes[:size], &w.frame)
	}
	return err
}

// sendG711 encodes what the phone hears, unless that was done for another one in this tick.
func (p *Phone) sendG711(w *scratch, own []int16) ([]byte, error) {
	kind := p.down.line.kind
	if own == nil && len(p.players) == 0 && !p.played.rings && p.volume.off() && !p.deaf.Load() {
		return w.common(kind, p.narrow)
	}
	mixed := p.others(w, own)
	p.overlay(w, mixed)
	p.volume.turn(w, mixed)
	_, err := w.shared[kind].encoder.Encode(w.bytes, mixed)
	return w.bytes, err
}

// others is what all others say.
func (p *Phone) others(w *scratch, own []int16) []int16 {
	mixed := w.mix(p.narrow, own)
	if p.deaf.Load() {
		clear(mixed)
	}
	return mixed
}

// overlay adds what is played to this phone alone.
func (p *Phone) overlay(w *scratch, mixed []int16) {
	if len(p.players) == 0 && !p.played.rings {
		return
	}
	sound := sum{pcm: w.played, loud: len(p.players) > 0}
	if sound.loud {
		clear(sound.pcm)
		p.players = play(p.players, sound.pcm)
	}
	if p.narrow {
		if p.played.filter == nil { // the first that is played to it
			p.played = newLowered()
		}
		if !p.played.convert(&sound) {
			return
		}
		sound.pcm = p.played.out
	}
	for i, s := range sound.pcm {
		s += int32(mixed[i])
		if w.limits {
			mixed[i] = softened(s)
		} else {
			mixed[i] = clamp(s)
		}
	}
}
