package score

import (
	"math"
	"math/cmplx"

	"passerelle/codec/wav"
)

// A Listener follows a recording while it is made, in these steps:
//
//  1. Once per phrase: cut the reference into pieces that overlap, and transform each (NewPhrase).
//  2. Transform the recording block by block, each once, and look in it for every piece (block).
//  3. Put the pieces that are alike in a chain: in their order, about as far apart as in the reference (link).
//  4. The phrase is heard once most of it is in one chain, and its end has passed.

const (
	phraseBlock = 4096                      // samples of a recording that are looked at together
	phrasePiece = 240 * Rate / 1000         // of a reference, in samples
	phraseHop   = phrasePiece / 2           // from one piece to the next
	phraseStall = Rate                      // by which a chain may stretch or shrink in all, in samples
	phraseAlike = 0.6                       // correlation from which a piece counts
	phraseMost  = 0.65                      // of the pieces make the phrase
	phraseStep  = phraseBlock - phrasePiece // from one block to the next
)

// Phrase is a reference that listeners share. It does not change.
type Phrase struct {
	pieces []phrasePart
	length int // samples
}

// phrasePart is a piece of the reference that has sound in it.
type phrasePart struct {
	at       int
	spectrum []complex128 // conjugated
	power    float64
}

// NewPhrase prepares a reference at rate, in Hz.
func NewPhrase(reference []int16, rate int) *Phrase {
	reference = wav.Resample(reference, rate, Rate)
	band, active := telephone(reference), findActive(sharp(reference))
	p, turn := &Phrase{length: len(reference)}, turns(phraseBlock)
	for at := 0; at+phrasePiece <= len(band); at += phraseHop {
		loud := 0
		for _, a := range active[at/frame : (at+phrasePiece)/frame] {
			if a {
				loud++
			}
		}
		if loud < phrasePiece/frame/2 {
			continue
		}
		part := phrasePart{at: at, spectrum: make([]complex128, phraseBlock), power: power(band[at : at+phrasePiece])}
		for i, v := range band[at : at+phrasePiece] {
			part.spectrum[i] = complex(v, 0)
		}
		transform(part.spectrum, turn)
		for i, v := range part.spectrum {
			part.spectrum[i] = cmplx.Conj(v)
		}
		p.pieces = append(p.pieces, part)
	}
	return p
}

// Listener listens for a phrase in one recording. Pauses in the midst of the phrase, and spans of it that are missing, do
// not matter as long as most of it is there. It belongs to one goroutine.
type Listener struct {
	phrase *Phrase
	rest   []int16 // of the recording, with the filter's reach before it
	at     int     // in the recording, of what comes after the reach in rest
	turn   []complex128
	heard  []sighting
	end    int // in the recording, of the phrase; 0 while it is not heard
	best   int // pieces in the longest chain
}

// sighting is a piece that is alike at some sample of the recording.
type sighting struct {
	piece, at int
	chain     int // pieces that are in order up to this one
	delay     int // of the chain's first piece
}

// Listen begins to listen.
func (p *Phrase) Listen() *Listener {
	return &Listener{phrase: p, rest: make([]int16, reach), turn: turns(phraseBlock)}
}

// Hear listens to what comes next, at Rate, and reports whether the phrase has been said, to its end.
func (l *Listener) Hear(pcm []int16) bool {
	l.rest = append(l.rest, pcm...)
	for len(l.rest) >= phraseBlock+2*reach {
		l.block(telephone(l.rest[:phraseBlock+2*reach])[reach : reach+phraseBlock])
		l.rest = append(l.rest[:0], l.rest[phraseStep:]...)
		l.at += phraseStep
	}
	return l.end > 0 && l.at+len(l.rest)-reach >= l.end
}

// Best returns which part of the phrase was heard in order, 0 to 1.
func (l *Listener) Best() float64 { return float64(l.best) / float64(max(1, len(l.phrase.pieces))) }

// block looks for each piece at each of the block's first samples, and keeps where it is most alike. Two pieces share a
// transform: the correlation of one is its real part, of the other its imaginary.
func (l *Listener) block(band []float64) {
	sums := powers(band)
	if sums[len(band)] < phraseBlock {
		return // silence
	}
	spectrum, product := make([]complex128, phraseBlock), make([]complex128, phraseBlock)
	for i, v := range band {
		spectrum[i] = complex(v, 0)
	}
	transform(spectrum, l.turn)
	for n := 0; n < len(l.phrase.pieces); n += 2 {
		first, second := l.phrase.pieces[n], l.phrase.pieces[min(n+1, len(l.phrase.pieces)-1)]
		for i, v := range spectrum {
			// Conjugated, so that the transform is the inverse; the imaginary part changes its sign.
			product[i] = cmplx.Conj(v * (first.spectrum[i] + 1i*second.spectrum[i]))
		}
		transform(product, l.turn)
		a, b := mostAlike{}, mostAlike{}
		for i := range phraseStep {
			here := sums[i+phrasePiece] - sums[i]
			if here < phrasePiece {
				continue
			}
			a.see(i, real(product[i])/math.Sqrt(here*first.power))
			b.see(i, -imag(product[i])/math.Sqrt(here*second.power))
		}
		l.link(n, a)
		if n+1 < len(l.phrase.pieces) {
			l.link(n+1, b)
		}
	}
}

// mostAlike is where a piece is most alike in a block.
type mostAlike struct {
	at    int
	alike float64
}

func (m *mostAlike) see(at int, alike float64) {
	if alike > m.alike {
		m.at, m.alike = at, alike
	}
}

// link puts a piece that is alike behind the longest chain that it goes on with.
func (l *Listener) link(piece int, m mostAlike) {
	if m.alike/phraseBlock < phraseAlike {
		return
	}
	from := l.phrase.pieces[piece].at
	here := sighting{piece: piece, at: l.at + m.at, chain: 1, delay: l.at + m.at - from}
	for _, before := range l.heard {
		moved := here.at - from - before.delay
		if before.piece < piece && before.at < here.at && max(moved, -moved) <= phraseStall && before.chain >= here.chain {
			here.chain, here.delay = before.chain+1, before.delay
		}
	}
	l.heard = append(l.heard, here)
	l.best = max(l.best, here.chain)
	if float64(here.chain) >= phraseMost*float64(len(l.phrase.pieces)) && l.end == 0 {
		l.end = here.at + l.phrase.length - from
	}
}
