package ivr

// player says one sentence after the other to a console. It belongs to one goroutine, which calls next
// whenever done is.
type player struct {
	console Console
	voices  *Voices

	now   Playing // nil where nothing is
	queue []line
}

// say lets lines follow what is being said.
func (p *player) say(lines []line) {
	p.queue = append(p.queue, lines...)
	if p.now == nil {
		p.next()
	}
}

// music plays until it is stopped. Nothing is being said.
func (p *player) music() { p.now = p.console.Play(p.voices.Music(), true) }

// stop ends everything.
func (p *player) stop() {
	if p.now != nil {
		p.now.Stop()
	}
	p.now, p.queue = nil, nil
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
	p.now = nil
	if len(p.queue) == 0 {
		return false
	}
	l := p.queue[0]
	p.queue = p.queue[1:]
	p.now = p.console.Play(p.voices.say(l.language, []Prompt{l.words}, inMenu()), false)
	return true
}
