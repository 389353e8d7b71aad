package g722

// What is lost is made up of the pitch of what was heard (package conceal). Meanwhile scales and predictors
// stay as they were: after a loss they are nearer to the encoder's than those of a decoder that begins anew,
// or that has listened to what was made up. But a voiced sound's predictor that meets another sound rings,
// loudly, until it has learned; so it gives up a little of what it expects with each 10 ms lost (doubt).

const (
	doubtStep = Rate / 100
	doubtMost = 10 * doubtStep
)

// Conceal makes up len(pcm) samples from the pitch of what was heard last. Called in a row it
// attenuates after 10 ms and is silent after 60 ms.
func (d *Decoder) Conceal(pcm []int16) (int, error) {
	before := min(d.lost, doubtMost) / doubtStep
	d.lost += len(pcm)
	for range min(d.lost, doubtMost)/doubtStep - before {
		d.low.doubt()
		d.high.doubt()
	}
	d.hide.Fill(pcm)
	return len(pcm), nil
}

// doubt moves the predictor's poles and zeros inwards.
func (b *band) doubt() {
	b.pole1 = b.pole1 * 15 / 16
	b.pole2 = b.pole2 * 225 / 256
	for i := range b.zeros {
		b.zeros[i] = b.zeros[i] * 15 / 16
	}
}
