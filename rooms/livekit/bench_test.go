//go:build peers

package livekit_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// BenchmarkSeats takes 100 seats one by one, in ten rooms, and lets all of them speak for five seconds. It reports
// what a seat costs: set-up, memory, goroutines and CPU of this process (the room's listener included).
func BenchmarkSeats(b *testing.B) {
	const seats, perRoom, spoken = 100, 10, 5 * time.Second
	for b.Loop() {
		c := cluster(b, shared)
		runtime.GC()
		rss, routines := rssOf(b), runtime.NumGoroutine()
		var all []rooms.Seat
		var took []time.Duration
		var open []rooms.Room
		for n := range seats {
			if n%perRoom == 0 {
				r, err := c.Open(b.Context(), fmt.Sprintf("bench-%d", n/perRoom), &far{})
				if err != nil {
					b.Fatal(err)
				}
				open = append(open, r)
			}
			began := time.Now()
			s, err := open[len(open)-1].Seat(b.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone})
			if err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
			all = append(all, s)
		}
		slices.Sort(took)
		b.ReportMetric(ms(took[len(took)/2]), "setup-p50-ms")
		b.ReportMetric(ms(took[len(took)*99/100]), "setup-p99-ms")
		b.ReportMetric(float64(runtime.NumGoroutine()-routines)/seats, "goroutines/seat")
		cpu := speakAll(all, spoken)
		b.ReportMetric(1000*float64(cpu)/float64(spoken)/seats, "millicores/seat")
		runtime.GC()
		b.ReportMetric((rssOf(b)-rss)/seats, "kB/seat")
		if file := os.Getenv("PASSERELLE_HEAP"); file != "" {
			f, err := os.Create(file)
			if err != nil {
				b.Fatal(err)
			}
			_ = pprof.Lookup("heap").WriteTo(f, 0)
			_ = f.Close()
			g, err := os.Create(file + ".goroutines")
			if err != nil {
				b.Fatal(err)
			}
			_ = pprof.Lookup("goroutine").WriteTo(g, 1)
			_ = g.Close()
		}
		for _, s := range all {
			_ = s.Close()
		}
		for _, r := range open {
			_ = r.Close()
		}
	}
}

// speakAll writes 50 packets a second to every seat, and returns the CPU time that it took.
func speakAll(all []rooms.Seat, spoken time.Duration) time.Duration {
	began := cpuTime()
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: make([]byte, 80)}
	f.Payload[0] = 0x48
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range spoken / (20 * time.Millisecond) {
		<-tick.C
		f.Seq++
		f.Timestamp += 960
		for _, s := range all {
			_ = s.WriteFrame(&f)
		}
	}
	return cpuTime() - began
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rssOf returns the memory of this process in kB.
func rssOf(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if err != nil {
				b.Fatal(err)
			}
			return kB
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
