package audio

import "time"

// What a source's delay is measured by.
const (
	firstTarget = 20 * time.Millisecond // before anything is known
	leastTarget = 10 * time.Millisecond
	mostTarget  = 500 * time.Millisecond
	safety      = 5 * time.Millisecond // beyond what was measured

	delayStep    = 5 * time.Millisecond // of the histogram
	delayForget  = 1.0 / 128            // of the past, with each packet
	delayCovered = 0.985                // of the packets are to come in time: a late one now and then is not waited for
	targetDecay  = 50                   // the target falls by one second in so many
	lookAgain    = 10                   // packets, when nothing unexpected comes

	pauseLag = 150 * time.Millisecond // after silence: then the source's clock stood still, or the network did

	baseWindow = 4 * time.Second
)

// delayMeter learns from arrival times how long a source's packets must wait so that they are there when
// they are due. Transit is arrival time less media time, on whatever clocks; its minimum lately (base) is
// what a packet needs that nothing held up, and each packet's lag behind it goes into a histogram that
// forgets.
type delayMeter struct {
	known      bool
	least      time.Duration // transit, in this window
	leastOnce  time.Duration // ... and in the one before
	windowEnds time.Duration

	lags   [mostTarget/delayStep + 1]float32 // share of packets by lag, sums to 1
	want   time.Duration                     // enough for nearly all packets
	looked int                               // packets since want was found
	target time.Duration
	last   time.Duration // arrival
}

func newDelayMeter() delayMeter {
	d := delayMeter{target: firstTarget, want: firstTarget}
	d.lags[(firstTarget-safety)/delayStep-1] = 1
	return d
}

// restart forgets the clocks of a source that is gone, and keeps what is known of the network.
func (d *delayMeter) restart() { d.known = false }

// base returns the transit of a packet that nothing held up.
func (d *delayMeter) base() time.Duration { return min(d.least, d.leastOnce) }

// arrived learns from one packet, which may have come earlier than it arrived, by excuse at most, for this machine stood
// still: that is no fault of the network, and to wait longer for packets would not help. One that ends a silence and
// comes far too late says nothing about the network either: nobody waits for it, and time is counted from it anew.
func (d *delayMeter) arrived(arrival, media, excuse time.Duration, silent bool) {
	transit := arrival - media
	if d.known {
		transit = max(transit-excuse, min(transit, d.base()))
	}
	if silent && d.known && transit-d.base() > max(pauseLag, d.target) {
		d.known = false
	}
	switch {
	case !d.known:
		d.known = true
		d.least, d.leastOnce = transit, transit
		d.windowEnds = arrival + baseWindow
		d.last = arrival
	case arrival > d.windowEnds:
		d.leastOnce, d.least = d.least, transit
		d.windowEnds = arrival + baseWindow
	}
	d.least = min(d.least, transit)
	d.count(transit - d.base())
	d.follow(arrival)
}

func (d *delayMeter) count(lag time.Duration) {
	for i := range d.lags {
		d.lags[i] *= 1 - delayForget
	}
	d.lags[min(int(lag/delayStep), len(d.lags)-1)] += delayForget
	if d.looked++; d.looked >= lookAgain || lag > d.want-safety {
		d.want, d.looked = d.enough(), 0
	}
}

// follow raises the target at once, and lowers it slowly.
func (d *delayMeter) follow(arrival time.Duration) {
	fall := max(0, arrival-d.last) / targetDecay
	d.last = max(d.last, arrival)
	d.target = max(d.want, d.target-fall)
}

// enough returns the delay that is enough for nearly all packets.
func (d *delayMeter) enough() time.Duration {
	late := float32(1 - delayCovered)
	i := len(d.lags) - 1
	for ; i > 0; i-- {
		if late -= d.lags[i]; late < 0 {
			break
		}
	}
	return min(max(time.Duration(i+1)*delayStep+safety, leastTarget), mostTarget)
}
