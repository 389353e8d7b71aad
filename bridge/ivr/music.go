package ivr

// compose returns the music on hold at rate.
func compose(rate int) []int16 { return make([]int16, 2*rate) }
