//go:build peers

package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"passerelle/rooms/livekit/livekittest"
)

// The load on real LiveKit, beside the figures of the rival: the same scenario on the same kind of machine.
//
//  1. For every row a new gateway, so that its memory is its own; one LiveKit and one Redis for all.
//  2. A person is in each room, publishes speech and hears everybody.
//  3. The phones call one after the other, hang up, and call again at the rate that the rival could take.
//  4. They talk; what has settled is measured for 12 s.
//
// The rival's own conditions are in rivalRow. PASSERELLE_LOAD=livekit runs it, PASSERELLE_RUNS says how often
// each row, PASSERELLE_JUDGE makes a missed goal a failure, PASSERELLE_PROFILE keeps a CPU profile of each row.

const (
	oneRoom  = "one room"
	ownRooms = "rooms of their own"
	fewTalk  = "one room, one in ten talking"

	loadSettles  = 3 * time.Second
	loadLasts    = 12 * time.Second
	rivalsPace   = 100 * time.Millisecond // between two calls: the rival sets up 5 to 10 a second
	surgeSeconds = 10
	surgeHold    = 3 * time.Second
)

func TestLiveKitLoad(t *testing.T) {
	if os.Getenv("PASSERELLE_LOAD") != "livekit" {
		t.Skip("make load-livekit runs this")
	}
	runs := 3
	if n, err := strconv.Atoi(os.Getenv("PASSERELLE_RUNS")); err == nil && n > 0 {
		runs = n
	}
	b := &loadBench{hall: openLoadHall(t), report: loadReport{Server: "1.11.0"}}
	dir := Folder(t)
	dense := withoutPauses(t, dir, Woman)
	b.said = prepare(t, dense)

	sizes := map[string][]int{oneRoom: {1, 5, 10, 20, 40, 100}, fewTalk: {10}, ownRooms: {1, 5, 10, 20, 40, 100}}
	for _, scenario := range []string{oneRoom, fewTalk, ownRooms} {
		t.Run(scenario, func(t *testing.T) {
			for _, calls := range sizes[scenario] {
				t.Run(strconv.Itoa(calls), func(t *testing.T) { b.row(t, scenario, calls, runs) })
			}
		})
	}
	for _, perSecond := range []int{10, 25, 50} {
		t.Run(fmt.Sprintf("surge/%d", perSecond), func(t *testing.T) { b.surge(t, perSecond) })
	}
	b.report.write(t)
}

// loadBench is what all rows share.
type loadBench struct {
	hall   *Hall
	said   script
	report loadReport
}

// row measures one row of one scenario, several times.
func (b *loadBench) row(t *testing.T, scenario string, calls, runs int) {
	var all []loadRow
	for i := range runs {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			row := loadRow{Scenario: scenario, Calls: calls, Talking: calls}
			if scenario == fewTalk {
				row.Talking = calls / 10
			}
			b.run(t, &row)
			if !t.Failed() {
				all = append(all, row)
			}
		})
	}
	if len(all) > 0 {
		b.report.Rows = append(b.report.Rows, medianRow(all))
	}
}

// run measures a row once.
func (b *loadBench) run(t *testing.T, row *loadRow) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	tag := randomID()[:6]
	room := func(i int) string { return fmt.Sprintf("lk-%s-%d", tag, i) }
	rooms := []string{room(0)}
	if row.Scenario == ownRooms {
		for i := 1; i < row.Calls; i++ {
			rooms = append(rooms, room(i))
		}
	}
	number := func(i int) string { return rooms[i%len(rooms)] }
	silent := func(i int) bool { return i >= row.Talking }

	gateway := StartGateway(t, Folder(t), GatewayConfig{Calls: row.Calls + 10, LiveKit: b.hall.Engines()})
	before := gateway.Counters(t) // what it needed to start is garbage, and collected
	idle, _ := b.usage(t, gateway)
	people := StartPeople(t, b.hall, b.said.opus, rooms...)
	phones := StartExchange(t, gateway.SIP, b.said.ulaw)

	lines, err := phones.Gather(ctx, row.Calls, number, silent)
	if err != nil {
		t.Fatal(err)
	}
	row.InTurn50, row.InTurn99 = setUps(lines)
	if err := phones.HangupAll(ctx, lines); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if lines, err = phones.GatherAtRate(ctx, row.Calls, rivalsPace, number, silent); err != nil {
		t.Fatal(err)
	}
	row.AtRate50, row.AtRate99 = setUps(lines)
	time.Sleep(loadSettles)
	b.measure(t, row, gateway, people, phones)
	row.MB = (row.Resident - mega(idle)) / float64(row.Calls)
	row.Goroutines = (row.Goroutines - float64(before.Goroutines)) / float64(row.Calls)
	if err := phones.HangupAll(ctx, lines); err != nil {
		t.Error(err)
	}
}

// usage is what the system says of the gateway's and the server's processes, and of ours.
func (b *loadBench) usage(t *testing.T, gateway *Gateway) (resident uint64, cpu [3]time.Duration) {
	t.Helper()
	var err error
	if resident, cpu[0], err = usage(gateway.process.PID()); err != nil {
		t.Fatal(err)
	}
	if _, cpu[1], err = usage(b.hall.Pid()); err != nil {
		t.Fatal(err)
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	cpu[2] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return resident, cpu
}

// measure counts for as long as loadLasts.
func (b *loadBench) measure(t *testing.T, row *loadRow, gateway *Gateway, people *People, phones *Exchange) {
	t.Helper()
	profiled := b.profile(t, gateway, fmt.Sprintf("%.3s-%d", row.Scenario, row.Calls))
	phones.Begin()
	_, from := b.usage(t, gateway)
	heard, began := people.Heard(), time.Now()
	time.Sleep(loadLasts)
	resident, to := b.usage(t, gateway)
	heard, lasted := people.Heard()-heard, time.Since(began).Seconds()
	ear, deaf, late := phones.Count()
	after := gateway.Counters(t) // last: it collects garbage
	<-profiled

	calls := float64(row.Calls)
	row.Goroutines = float64(after.Goroutines) // in all, as yet
	row.CPU = (to[0] - from[0]).Seconds() / lasted / calls
	row.Server = (to[1] - from[1]).Seconds() / lasted / calls
	row.Generator = (to[2] - from[2]).Seconds() / lasted
	row.Resident = mega(resident)
	row.Gaps, row.Longest = 1000*float64(ear.Gaps)/float64(max(1, ear.Received)), millis(ear.Longest)
	row.Lost = float64(ear.Missing+ear.Lost) + float64(after.Gateway.Media.Dropped+after.Gateway.Media.Failed)
	row.Jumps, row.Behind = float64(ear.Jumps), millis(late)
	row.People = float64(heard) / float64(max(1, ear.Sent*row.Talking/row.Calls))
	t.Logf("%+v", *row)
	t.Logf("the phones: %v; generator at most %v late; people heard %d", ear, late, heard)
	if deaf > 0 || ear.Sounding*10 < ear.Received*9 {
		t.Errorf("%d phones heard nothing, and of %d packets %d had sound: this row measures nothing", deaf, ear.Received, ear.Sounding)
	}
	if least := row.Calls * int(loadLasts/(20*time.Millisecond)); ear.Sent < least*95/100 {
		t.Errorf("the load generator sent %d packets, want %d: this row measures nothing", ear.Sent, least)
	}
}

// setUps returns the median and the 99th percentile of the calls' set-up, in milliseconds.
func setUps(lines []*Line) (p50, p99 float64) {
	var all []time.Duration
	for _, l := range lines {
		all = append(all, l.SetUp)
	}
	slices.Sort(all)
	return millis(percentile(all, 50)), millis(percentile(all, 99))
}

// openLoadHall is OpenHall; the server lets itself be profiled where that is asked for.
func openLoadHall(t *testing.T) *Hall {
	redis := livekittest.StartRedis(t)
	options := livekittest.Options{Redis: redis}
	if os.Getenv("PASSERELLE_PROFILE") != "" {
		options.ExtraYAML = "development: true"
	}
	return &Hall{Redis: redis, Server: livekittest.Start(t, options)}
}

// profile keeps CPU profiles of the gateway and of the server while they are measured, where it is asked for.
// The channel is closed when they are there.
func (b *loadBench) profile(t *testing.T, gateway *Gateway, name string) <-chan struct{} {
	done := make(chan struct{})
	if os.Getenv("PASSERELLE_PROFILE") == "" {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		var both errgroup.Group
		both.Go(func() error { return keepProfile("http://"+gateway.debug.String(), name+"-gateway") })
		both.Go(func() error { return keepProfile("http://"+b.hall.URL().Host, name+"-server") })
		if err := both.Wait(); err != nil {
			t.Error(err)
		}
	}()
	return done
}

func keepProfile(at, name string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", at, (loadLasts - 3*time.Second).Seconds()))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	profile, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(Root(), ".tmp", "peers", "livekitload-"+name+".pprof"), profile, 0o644)
}
