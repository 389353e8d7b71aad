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
	p.voice.Load().flush()
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
