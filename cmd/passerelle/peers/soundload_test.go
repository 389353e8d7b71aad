//go:build peers

package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"passerelle/cmd/internal/load"
)

// TestSoundLoad measures what the sound costs, what is held, and how it is heard. PASSERELLE_LOAD=sound runs it; each
// part runs by itself too (-run TestSoundLoad/capacity), and replaces its part of .tmp/peers/soundload.json.
func TestSoundLoad(t *testing.T) {
	if os.Getenv("PASSERELLE_LOAD") != "sound" {
		t.Skip("make load-sound runs this")
	}
	var r soundReport
	for _, part := range []struct {
		name string
		run  func(*testing.T, *soundReport)
	}{{"capacity", measureCapacity}, {"floor", measureFloor}, {"rival", measureRival}, {"setup", measureSetUp}, {"quality", measureQuality}} {
		t.Run(part.name, func(t *testing.T) { part.run(t, &r) })
	}
	r.write(t)
	if os.Getenv("PASSERELLE_JUDGE") != "" {
		r.judge(t)
	}
}

// oneRoomLoad has calls in one room with a browser of ours in it, and returns what sipload found.
func oneRoomLoad(t *testing.T, label string, calls int, talkers float64, lasting time.Duration) loadRun {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: calls + 10})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	guest, err := Join(ctx, gateway, "room-load1", "Guest", "")
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	return runSipload(t, dir, label, 2*time.Minute, append(gateway.watched(), "--calls", strconv.Itoa(calls), "--rate", "100",
		"--talkers", fmt.Sprint(talkers), "--for", lasting.String(), "--listen", "3")...)
}

// measureCapacity finds how many calls one room holds: (a) everybody talking, (b) one in ten.
func measureCapacity(t *testing.T, r *soundReport) {
	for _, c := range []struct {
		talkers float64
		calls   []int
	}{{1, []int{200, 300, 400, 500}}, {0.1, []int{600, 800, 1000}}} {
		for _, calls := range c.calls {
			t.Run(fmt.Sprintf("%d at %.0f%%", calls, 100*c.talkers), func(t *testing.T) {
				run := oneRoomLoad(t, "capacity", calls, c.talkers, 10*time.Second)
				p, g := run.Packets, run.Gateway
				row := capacityRow{
					Talkers: c.talkers, Calls: calls, Clean: run.Clean, Gaps: p.Gaps, Longest: p.Longest, Lost: p.Missing + p.Reported + g.Dropped + g.Refused,
					Skipped: g.Skipped, Ring: g.Ring, Gateway: g.Cores, PerCall: g.PerCall, Generator: run.Generator.Cores, Late: run.Generator.Late,
					KB: g.PerCallKB, SetUp99: run.SetUp.P99, Delay: run.Delay.P50,
				}
				t.Logf("%+v", row)
				r.Capacity = append(r.Capacity, row)
			})
		}
	}
}

// measureFloor has the same calls answered by the gateway, by the floor, and by a bare echo.
func measureFloor(t *testing.T, r *soundReport) {
	const lasting = 10 * time.Second
	for _, calls := range []int{50, 150} {
		row := floorRow{Calls: calls, Gateway: oneRoomLoad(t, fmt.Sprintf("floor-%d", calls), calls, 1, lasting).Gateway.PerCall}
		for cores, args := range map[*float64][]string{&row.Floor: {"--encode"}, &row.Echo: nil} {
			dir := Folder(t)
			p, first := standIn(t, dir, "floor", calls, args...)
			run := runSipload(t, dir, "floor", time.Minute, "--direct", first.String(), "--pid", strconv.Itoa(p.PID()), "--calls", strconv.Itoa(calls),
				"--rate", "1000", "--talkers", "1", "--for", lasting.String(), "--listen", "0")
			*cores = run.Gateway.PerCall
			p.Stop(15, 5*time.Second)
		}
		t.Logf("%+v", row)
		r.Floor = append(r.Floor, row)
	}
}

// measureRival is the scenario of BENCH's livekit/sip as near as it can be without LiveKit: one room, everybody talking
// all the time, one more WebRTC participant, 12 s.
func measureRival(t *testing.T, r *soundReport) {
	for _, calls := range []int{5, 10, 20} {
		run := oneRoomLoad(t, fmt.Sprintf("rival-%d", calls), calls, 1, 12*time.Second)
		v := rival(oneRoom, calls)
		row := rivalsRow{
			Calls: calls, CPU: run.Gateway.PerCall, Rival: v.CPU, Server: v.Server, KB: run.Gateway.PerCallKB, RivalMB: v.MB,
			SetUp99: run.SetUp.P99, Gaps: run.Packets.Gaps,
		}
		t.Logf("%+v", row)
		r.Rival = append(r.Rival, row)
	}
}

// measureSetUp has ever more calls a second, until the gateway takes too long.
func measureSetUp(t *testing.T, r *soundReport) {
	const tooLong = 200.0 // ms
	for _, rate := range []int{50, 100, 200, 300, 350} {
		dir := Folder(t)
		gateway := StartGateway(t, dir, GatewayConfig{Calls: 3 * rate, Drain: time.Second})
		run := runSipload(t, dir, "setup", time.Minute, append(gateway.watched(), "--calls", strconv.Itoa(3*rate), "--rate", strconv.Itoa(rate),
			"--rooms", "10", "--hold", "2s", "--for", "5s", "--talkers", "0", "--listen", "0", "--sources", "4")...)
		row := setUpRow{
			Rate: float64(rate), Answered: run.Answered, Failed: run.Failed + run.HeldBack, P50: run.SetUp.P50, P99: run.SetUp.P99, Most: run.SetUp.Most,
			Gateway: run.Gateway.Cores, Generator: run.Generator.Cores,
		}
		t.Logf("%+v %v", row, run.Reasons)
		r.SetUp = append(r.SetUp, row)
		gateway.Stop(t)
		if row.P99 > tooLong {
			return
		}
	}
}

// measureQuality has pairs of phones talk over a bad network, each way, with the gateway and without: then both ways
// of the network lie one after the other between the two.
func measureQuality(t *testing.T, r *soundReport) {
	const pairs, lasting = 4, 16 * time.Second
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 100})
	losses := []float64{0, 1, 5, 10}
	for _, jitter := range []int{0, 10, 30, 60} {
		type cell struct {
			p    *Process
			file string
		}
		var cells []cell
		for i, loss := range losses {
			network := []string{"--calls", strconv.Itoa(2 * pairs), "--rooms", strconv.Itoa(pairs), "--talkers", "0.5", "--listen", strconv.Itoa(pairs),
				"--for", lasting.String(), "--loss", fmt.Sprint(loss), "--jitter", fmt.Sprintf("%dms", jitter), "--seed", strconv.Itoa(1 + i)}
			label := fmt.Sprintf("%d-%.0f", jitter, loss)
			target := fmt.Sprintf("sip:room-%dx%dx{room}@%s", jitter, i, gateway.SIP)
			p, file := startSipload(t, dir, label, append(network, "--target", target)...)
			cells = append(cells, cell{p, file})
			bare, first := standIn(t, dir, label, 2*pairs, "--pairs")
			defer bare.Stop(15, time.Second)
			p, file = startSipload(t, dir, label+"-bare", append(network, "--direct", first.String(), "--rooms", strconv.Itoa(pairs))...)
			cells = append(cells, cell{p, file})
		}
		for i, loss := range losses {
			with := endSipload(t, cells[2*i].p, cells[2*i].file, time.Minute)
			bare := endSipload(t, cells[2*i+1].p, cells[2*i+1].file, time.Minute)
			row := qualityRow{Jitter: float64(jitter), Loss: loss, With: heard(with), Bare: heard(bare)}
			t.Logf("%+v", row)
			r.Quality = append(r.Quality, row)
		}
	}
}

// heard is the median of each figure over the listeners.
func heard(run loadRun) heardFigure {
	middle := func(of func(load.Listener) float64) float64 {
		var all []float64
		for _, l := range run.Listeners {
			all = append(all, of(l))
		}
		slices.Sort(all)
		if len(all) == 0 {
			return 0
		}
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return heardFigure{
		Delay: run.Delay.P50, MouthEar: middle(func(l load.Listener) float64 { return l.MouthToEar }), Loss: middle(func(l load.Listener) float64 { return l.Loss }),
		R: middle(func(l load.Listener) float64 { return l.R }), MOS: middle(func(l load.Listener) float64 { return l.MOS }),
		Likeness: middle(func(l load.Listener) float64 { return l.Correlation }), SNR: middle(func(l load.Listener) float64 { return l.SNR }),
		Spectrum: middle(func(l load.Listener) float64 { return l.Spectrum }),
	}
}

// judge compares with the goals.
func (r *soundReport) judge(t *testing.T) {
	t.Helper()
	goal := func(name string, met bool, format string, args ...any) {
		verdict := "met"
		if !met {
			verdict = "MISSED"
			t.Fail()
		}
		t.Logf("%-60s %-7s %s", name, verdict, fmt.Sprintf(format, args...))
	}
	held := map[float64]int{}
	kB := 0.0
	for _, c := range r.Capacity {
		if !c.held() { // more than is possible; what waits for a busy machine takes memory too
			continue
		}
		held[c.Talkers] = max(held[c.Talkers], c.Calls)
		kB = max(kB, c.KB)
	}
	if len(r.Capacity) > 0 {
		goal("one room, everybody talking: 300 calls", held[1] >= 300, "%d held", held[1])
		goal("one room, one in ten talking: 800 calls (stretch: 1000)", held[0.1] >= 800, "%d held", held[0.1])
		goal("memory: 150 kB a call", kB <= 150, "%.0f kB at most", kB)
	}
	for _, f := range r.Floor {
		goal(fmt.Sprintf("CPU of the floor's, %d calls talking: 1.2", f.Calls), f.Gateway/f.Floor <= 1.2, "%.2f", f.Gateway/f.Floor)
	}
	for _, v := range r.Rival {
		goal(fmt.Sprintf("CPU of livekit/sip's, %d calls talking: a tenth", v.Calls), v.CPU <= v.Rival/10, "%s", ratio(v.CPU, v.Rival))
	}
	most := 0.0
	for _, s := range r.SetUp {
		if s.P99 <= 200 && s.Failed == 0 {
			most = max(most, s.Rate)
		}
	}
	if len(r.SetUp) > 0 {
		goal("set-up: 300 calls a second with p99 below 200 ms", most >= 300, "%.0f", most)
	}
}

// TestSoak has a hundred calls that come and go for ten minutes (PASSERELLE_SOAK says otherwise): none fails, and what
// the gateway holds is flat. Its page stays in .tmp/peers/soak.html.
func TestSoak(t *testing.T) {
	lasting, err := time.ParseDuration(os.Getenv("PASSERELLE_SOAK"))
	if err != nil {
		t.Skip("make soak runs this")
	}
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 140})
	before := warmUp(t, gateway)
	page := filepath.Join(Root(), ".tmp", "peers", "soak.html")
	run := runSipload(t, dir, "soak", lasting+2*time.Minute, append(gateway.watched(), "--calls", "130", "--rate", "5", "--hold", "20s", "--rooms", "10",
		"--for", lasting.String(), "--report", page)...)
	t.Logf("%s\nthe page: %s", run.Screen, page)
	if run.Failed > 0 || run.HeldBack > 0 || run.Packets.Missing+run.Packets.Reported > 0 {
		t.Errorf("%d of %d calls failed (%v), %d held back, %d packets lost", run.Failed, run.Placed, run.Reasons, run.HeldBack, run.Packets.Missing+run.Packets.Reported)
	}
	judgeFlat(t, run.Timeline)
	afterwards(t, gateway, before)
}

// judgeFlat compares the second fifth of a run with the last.
func judgeFlat(t *testing.T, samples []load.Sample) {
	t.Helper()
	n := len(samples) / 5
	if n < 3 {
		t.Fatalf("%d samples are too few", len(samples))
	}
	mean := func(part []load.Sample, of func(load.Sample) float64) (sum float64) {
		for _, s := range part {
			sum += of(s) / float64(len(part))
		}
		return sum
	}
	// The last seconds are hanging up: the fifth before them.
	early, late := samples[n:2*n], samples[len(samples)-n-n/2:len(samples)-n/2]
	for name, of := range map[string]func(load.Sample) float64{
		"resident MB": func(s load.Sample) float64 { return s.Resident }, "goroutines": func(s load.Sample) float64 { return float64(s.Goroutines) },
		"open files": func(s load.Sample) float64 { return float64(s.Files) },
	} {
		a, b := mean(early, of), mean(late, of)
		t.Logf("%s: %.1f early, %.1f late", name, a, b)
		const part, more = 1.15, 8 // a heap breathes by some MB
		if b > a*part+more {
			t.Errorf("%s grew from %.1f to %.1f", name, a, b)
		}
	}
}
