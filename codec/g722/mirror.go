package g722

// The quadrature mirror filter has 24 taps, of which every other belongs to the even samples; those of the
// odd ones are the same from behind (ITU-T G.722 table 11).
const (
	mirrorTaps  = 24
	mirrorPast  = mirrorTaps - 2
	mirrorChunk = 320 // samples at once
)

// mirror is one filter's memory: the samples before those that are filtered, and these.
type mirror struct {
	x [mirrorPast + mirrorChunk]int16
}

// put takes the samples to be filtered, mirrorChunk at most.
func (m *mirror) put(pcm []int16) { copy(m.x[mirrorPast:], pcm) }

// sums returns the weighted sums of the samples that end with pair i of those put in: of the odd ones (the
// first of each pair) and of the even ones.
func (m *mirror) sums(i int) (odd, even int32) {
	x := (*[mirrorTaps]int16)(m.x[2*i:])
	odd = 3*(int32(x[0])) - 11*(int32(x[2])+int32(x[22])) + 12*int32(x[4]) + 32*int32(x[6]) - 210*int32(x[8]) +
		951*int32(x[10]) + 3876*int32(x[12]) - 805*int32(x[14]) + 362*int32(x[16]) - 156*int32(x[18]) + 53*int32(x[20])
	even = 3*(int32(x[23])) - 11*(int32(x[21])+int32(x[1])) + 12*int32(x[19]) + 32*int32(x[17]) - 210*int32(x[15]) +
		951*int32(x[13]) + 3876*int32(x[11]) - 805*int32(x[9]) + 362*int32(x[7]) - 156*int32(x[5]) + 53*int32(x[3])
	return odd, even
}

// keep remembers the last of n samples that were filtered.
func (m *mirror) keep(n int) { copy(m.x[:mirrorPast], m.x[n:n+mirrorPast]) }
