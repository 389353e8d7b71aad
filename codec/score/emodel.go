package score

import (
	"math"
	"time"

	"passerelle/codec"
)

// Path is what the E-model of ITU-T G.107 (06/2015) wants to know of a connection, as far as a packet network
// changes it. Everything else has the default of G.107 table 2: loudness ratings of good handsets, quiet
// rooms, no echo. The zero Path is the recommendation's own default, R = 93.2.
type Path struct {
	// Delay from mouth to ear: packetization, network, whatever is in between, jitter buffer (Ta).
	Delay time.Duration
	// Loss is the fraction of packets, 0 to 1, that were not there when they had to be played (Ppl).
	Loss float64
	// BurstRatio is how much longer the bursts of losses are than those of independent losses at the
	// same Loss (BurstR); below 1 counts as 1, since G.107 knows no better than independent.
	BurstRatio float64
	// Equipment says what coding does to speech, without loss and with it; zero is perfect, and falls
	// apart when packets are lost, as G.711 without concealment does.
	Equipment Equipment
}

// Equipment is the impairment by a codec and its decoder's concealment (ITU-T G.113 appendix I).
type Equipment struct {
	Impairment float64 // Ie, on R's scale
	Robustness float64 // Bpl: the percentage of lost packets that costs about half of what is left; 0 is 4.3
}

// The rows of ITU-T G.113 table I.4 that telephones have.
const (
	bareG711      = 4.3  // without concealment
	concealedG711 = 25.1 // with that of G.711 appendix I
)

// EquipmentOf returns G.113's figures for G.711; concealed says that the listener's decoder hides what is lost.
// G.722 has none on this scale of telephone band (G.107.1 has a scale of its own): it is taken as G.711.
func EquipmentOf(kind codec.Kind, concealed bool) Equipment {
	switch {
	case kind != codec.PCMA && kind != codec.PCMU && kind != codec.G722:
		return Equipment{}
	case concealed:
		return Equipment{Robustness: concealedG711}
	}
	return Equipment{Robustness: bareG711}
}

// The defaults of G.107 table 2.
const (
	slr      = 8.0   // send loudness rating, dB
	rlr      = 2.0   // receive loudness rating, dB
	stmr     = 15.0  // sidetone masking rating, dB
	dr       = 3.0   // D-value of the telephone, receive side
	ds       = 3.0   // D-value of the telephone, send side
	telr     = 65.0  // talker echo loudness rating, dB
	wepl     = 110.0 // weighted echo path loss, dB
	qdu      = 1.0   // quantizing distortion units
	circuit  = -70.0 // Nc: circuit noise at the 0 dBr point, dBm0p
	floor    = -64.0 // Nfor: noise floor at the receive side, dBmp
	roomSend = 35.0  // Ps: room noise at the send side, dB(A)
	roomHear = 35.0  // Pr: room noise at the receive side, dB(A)
	mT       = 100.0 // ms: the delay that nobody minds
)

// R returns the transmission rating factor, 0 to 93.2: above 90 users are very satisfied, below 60 nearly all
// of them are not (G.107 annex B). Echo's own path is free of delay here (T = Tr = 0): gateways have none.
func (p Path) R() float64 {
	noise := noise()
	ro := 15 - 1.5*(slr+noise)                                                         // (7-2)
	return max(0, ro-simultaneous(ro, noise)-talking(ro)-tardy(p.Delay)-p.equipment()) // (7-1), A = 0
}

// MOS returns the mean opinion score that users would give, 1 to 4.5: MOS-CQE of ITU-T P.800.1.
func (p Path) MOS() float64 { return MOS(p.R()) }

// MOS turns a rating factor into a mean opinion score (G.107 annex B).
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}

// noise sums the noises at the 0 dBr point, in dBm0p: circuit, rooms at either end, floor ((7-3) to (7-7)).
func noise() float64 {
	olr := slr + rlr
	nos := roomSend - slr - ds - 100 + 0.004*sq(roomSend-olr-ds-14)
	lstr := stmr + dr
	pre := roomHear + 10*math.Log10(1+math.Pow(10, (10-lstr)/10))
	nor := rlr - 121 + pre + 0.008*sq(pre-35)
	return 10 * math.Log10(power10(circuit)+power10(nos)+power10(nor)+power10(floor+rlr))
}

// simultaneous is what happens at the same time as speech (Is): too loud, sidetone, quantizing ((7-8) to (7-17)).
func simultaneous(ro, noise float64) float64 {
	x := slr + rlr + 0.2*(64+noise-rlr)
	loud := 20 * (math.Pow(1+math.Pow(x/8, 8), 1./8) - x/8)
	sidetone := sidetone()
	q := 37 - 15*math.Log10(qdu)
	g := 1.07 + 0.258*q + 0.0602*q*q
	y := (ro-100)/15 + 46/8.4 - g/9
	z := 46./30 - g/40
	quantizing := 15 * math.Log10(1+math.Pow(10, y)+math.Pow(10, z))
	return loud + sidetone + quantizing
}

// sidetone is Ist (7-11), with an echo that has no delay.
func sidetone() float64 {
	s := -10 * math.Log10(power10(-stmr)+power10(-telr)) // STMRo (7-12), T = 0
	return 12*math.Pow(1+math.Pow((s-13)/6, 8), 1./8) - 28*math.Pow(1+math.Pow((s+1)/19.4, 35), 1./35) -
		13*math.Pow(1+math.Pow((s-3)/33, 13), 1./13) + 29
}

// talking is the listener's echo (Idle, (7-25) and (7-26)); the talker's (Idte) is none without delay.
func talking(ro float64) float64 {
	rle := 10.5 * (wepl + 7)
	half := (ro - rle) / 2
	return half + math.Sqrt(half*half+169)
}

// tardy is what too long a delay costs where there is no echo (Idd, (7-27) and (7-28), sT = 1).
func tardy(delay time.Duration) float64 {
	ms := delay.Seconds() * 1000
	if ms <= mT {
		return 0
	}
	x := math.Log2(ms / mT)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1./6) - 3*math.Pow(1+math.Pow(x/3, 6), 1./6) + 2)
}

// equipment is the effective equipment impairment factor (Ie-eff, (7-29)).
func (p Path) equipment() float64 {
	ie, bpl := p.Equipment.Impairment, p.Equipment.Robustness
	if bpl == 0 {
		bpl = bareG711
	}
	percent := 100 * min(max(p.Loss, 0), 1)
	return ie + (95-ie)*percent/(percent/max(p.BurstRatio, 1)+bpl)
}

// BurstRatio returns how much longer bursts of losses are than independent losses would make them (G.107
// section 7.6): lost packets in so many bursts, of packets in all. 1 where nothing was lost.
func BurstRatio(lost, bursts, packets int) float64 {
	if lost == 0 || bursts == 0 || packets <= lost {
		return 1
	}
	mean := float64(lost) / float64(bursts)
	return mean * (1 - float64(lost)/float64(packets))
}

func sq(x float64) float64       { return x * x }
func power10(db float64) float64 { return math.Pow(10, db/10) }
