package g722

// The standard's tables, in its own fixed point: a scale of 8 stands for its DET of 32, and levels are
// multiplied with the scale and divided by 1024.

// Where the scales begin (ITU-T G.722 section 3.4, RESET).
const (
	lowScale  = 8
	highScale = 2
)

// steps are how many levels a difference below 4 kHz may have, and decisions those between them (table 14, Q6);
// the last is there thrice to make them 32.
const steps = 30

//
//nolint:gochecknoglobals // constants, but for the language
var decisions = [32]int32{
	35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
	1458, 1612, 1765, 1980, 2195, 2557, 2919, 2919, 2919, 2919,
}

// decision is the only level above 4 kHz (table 16).
const decision = 141

// sixBits are the levels of the decoder below 4 kHz, by code (table 18, QQ6).
//
//nolint:gochecknoglobals // constants, but for the language
var sixBits = [64]int32{
	-17, -17, -17, -17, -3101, -2738, -2376, -2088, -1873, -1689, -1535, -1399, -1279, -1170, -1072, -982,
	-899, -822, -750, -682, -618, -558, -501, -447, -396, -347, -300, -254, -211, -170, -130, -91,
	3101, 2738, 2376, 2088, 1873, 1689, 1535, 1399, 1279, 1170, 1072, 982, 899, 822, 750, 682,
	618, 558, 501, 447, 396, 347, 300, 254, 211, 170, 130, 91, 54, 17, -54, -17,
}

// fourBits are the levels by which both sides learn, by the code's upper four bits, and lowStep what becomes
// of the scale's logarithm (tables 19 and 20: QQ4, WL by RL42).
//
//nolint:gochecknoglobals // constants, but for the language
var (
	fourBits = [16]int32{0, -2557, -1612, -1121, -786, -530, -323, -150, 2557, 1612, 1121, 786, 530, 323, 150, 0}
	lowStep  = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
)

// twoBits and highStep are the same above 4 kHz (QQ2, WH by RH2).
//
//nolint:gochecknoglobals // constants, but for the language
var (
	twoBits  = [4]int32{-926, -202, 926, 202}
	highStep = [4]int32{798, -214, 798, -214}
)

// The largest logarithms of the scales.
const (
	lowMost  = 18432
	highMost = 22528
)

// powers are 2048 times 2 to the power of n/32 (table 21, ILB).
//
//nolint:gochecknoglobals // constants, but for the language
var powers = [32]int32{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
	2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}
