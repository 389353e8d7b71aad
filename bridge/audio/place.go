package audio

// A phone is in at most one mix and belongs to one shard at a time. Callers only say where they want it
// (Join, Leave, Close) and send a letter; the shard that has the phone brings it there, or hands it to
// the shard where it is wanted. A letter that finds the phone gone follows it. So letters may cross, and
// the last wish counts.

// Join moves the phone into a mix, from any other that it is in. Its RTP timestamps go on.
func (p *Phone) Join(m *Mix) {
	if p.gone.Load() {
		return
	}
	p.want.Store(m)
	p.visit(p.settle)
}

// Leave takes the phone out of its mix. It hears nothing, and nothing is sent to it, until it joins another.
func (p *Phone) Leave() { p.Join(nil) }

// Play plays a sound to this phone alone, beside what it hears of its mix.
func (p *Phone) Play(s Sound) *Player {
	player := newPlayer(s)
	posted := p.visit(func(*shard) {
		if !p.counted {
			player.finish()
			return
		}
		p.players = append(p.players, player)
	})
	if !posted {
		player.finish()
	}
	return player
}

// visit runs do on the shard that has the phone; false means that it has ended.
func (p *Phone) visit(do func(*shard)) bool {
	var letter func(*shard)
	letter = func(s *shard) {
		if owner := p.owner.Load(); owner != s {
			owner.post(letter)
			return
		}
		do(s)
	}
	return p.owner.Load().post(letter)
}

// settle brings the phone where it is wanted. Called on the shard that has it.
func (p *Phone) settle(s *shard) {
	want := p.want.Load()
	if p.mix != nil && (p.mix != want || p.gone.Load()) { // a Join may have crossed the Close
		p.mix.drop(p)
	}
	switch {
	case p.gone.Load():
		p.release(s)
	case want == nil || want == p.mix:
	case want.shard != s:
		s.load.Add(-1)
		want.shard.load.Add(1)
		p.owner.Store(want.shard)
		p.visit(p.settle)
	case !want.ended:
		want.admit(p)
	}
}

// release ends what plays to a phone that was closed. Called on its shard.
func (p *Phone) release(s *shard) {
	if !p.counted {
		return
	}
	p.counted = false
	s.load.Add(-1)
	p.finishPlayers()
}

func (p *Phone) finishPlayers() {
	for _, player := range p.players {
		player.finish()
	}
	p.players = nil
}

// entered begins the phone's stay in m. Called on the shard.
func (p *Phone) entered(m *Mix) {
	p.mix = m
	p.voice.flush()
}

// left ends it; for good when the engine stops. Called on the shard.
func (p *Phone) left(stopped bool) {
	p.mix = nil
	p.sounds = false
	p.up.heard.Store(false)
	if stopped {
		p.finishPlayers()
	}
}

// hear sends the phone what it hears of its mix in tick n: everybody but itself. Called on the shard.
func (p *Phone) hear(w *scratch, n int64) {
	if p.gone.Load() {
		return
	}
	if p.held.Load() {
		if len(p.players) > 0 { // they go by: who waits for their end does not wait for the phone
			p.players = play(p.players, w.widen())
		}
		return
	}
	if line := p.line.Load(); line != p.down.line {
		p.down.line = line
		p.down.interrupt()
	}
	payload, err := p.share(w)
	if err != nil {
		p.down.errors.add(1)
		return
	}
	p.down.write(p.out, n, payload, &w.frame)
}

// share returns what the phone hears, encoded.
func (p *Phone) share(w *scratch) ([]byte, error) {
	kind := p.down.line.kind
	if !p.sounds && len(p.players) == 0 {
		return w.common(kind)
	}
	own := p.own
	if !p.sounds {
		own = nil
	}
	w.mix(own)
	if len(p.players) > 0 {
		p.players = play(p.players, w.widen())
		w.narrow(!p.engine.noLimiter)
	}
	_, err := w.shared[kind].encoder.Encode(w.bytes, w.mixed)
	return w.bytes, err
}
