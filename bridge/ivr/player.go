package ivr

// player says one sentence after the other to a console. It belongs to one goroutine, which calls next
// whenever done is.
type player struct {
	console Console
	voices  *Voices

	now   Playing // nil where nothing is
	loops bool    // ... and it does so for ever
	queue []line
}

// say lets lines follow what is being said; music gives way to them.
func (p *player) say(lines []line) {
	p.queue = append(p.queue, lines...)
	if p.now == nil {
		p.next()
	} else if len(lines) > 0 {
		p.hush()
	}
}

// music plays until it is stopped. Nothing is being said.
func (p *player) music() {
	p.now, p.loops = p.console.Play(p.voices.Music(), true), true
}

// hush ends music, but no sentence.
func (p *player) hush() {
	if p.now != nil && p.loops {
		p.now.Stop()
	}
}

// stop ends everything.
func (p *player) stop() {
	if p.now != nil {
		p.now.Stop()
	}
	p.now, p.loops, p.queue = nil, false, nil
}

// done is closed when what is being said is over; nil where there is nothing.
func (p *player) done() <-chan struct{} {
	if p.now == nil {
		return nil
	}
	return p.now.Done()
}

// next begins the next sentence; false means that there is none.
func (p *player) next() bool {
	p.now, p.loops = nil, false
	if len(p.queue) == 0 {
		return false
	}
	l := p.queue[0]
	p.queue = p.queue[1:]
	p.now = p.console.Play(p.voices.Say(l.language, l.words), false)
	return true
}
