package audio

// Sound is PCM at the engine's MixRate. Players do not change it; several may share it.
type Sound struct {
	PCM  []int16
	Loop bool
}

// Player plays a Sound to a phone or to a mix, on the mix's clock.
type Player struct{}

// Stop ends the sound at the next tick.
func (p *Player) Stop() {}

// Done is closed when the sound has been played or stopped, or when nobody is left to hear it.
func (p *Player) Done() <-chan struct{} { return nil }
