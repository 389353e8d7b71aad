//go:build peers

package peers

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// loadRow is what one size of one scenario costs: medians of its runs.
type loadRow struct {
	Scenario string `json:"scenario"`
	Calls    int    `json:"calls"`
	Talking  int    `json:"talking"` // of the phones
	Runs     int    `json:"runs"`

	CPU        float64 `json:"cpu_per_call"`        // cores of the gateway, user and system
	Server     float64 `json:"server_cpu_per_call"` // cores of livekit-server
	Generator  float64 `json:"load_generator_cpu"`  // cores in all, its WebRTC participants included
	MB         float64 `json:"resident_mb_per_call"`
	Resident   float64 `json:"resident_mb"` // the whole process, what it had before any call included
	Goroutines float64 `json:"goroutines_per_call"`
	InTurn50   float64 `json:"set_up_in_turn_p50_ms"`
	InTurn99   float64 `json:"set_up_in_turn_p99_ms"`
	AtRate50   float64 `json:"set_up_at_10_a_second_p50_ms"`
	AtRate99   float64 `json:"set_up_at_10_a_second_p99_ms"`
	Gaps       float64 `json:"gaps_above_60_ms_per_1000"`
	Longest    float64 `json:"longest_gap_ms"`
	Lost       float64 `json:"packets_lost"`      // in the gateway, of all that phones sent and should have received
	Jumps      float64 `json:"ticks_skipped"`     // summed over the phones
	People     float64 `json:"people_heard"`      // of the packets that the phones sent, the part that a person in the room got
	Behind     float64 `json:"generator_late_ms"` // the most that the load generator was behind its own clock
}

// figures lists what a median is taken of.
func (r *loadRow) figures() []*float64 {
	return []*float64{&r.CPU, &r.Server, &r.Generator, &r.MB, &r.Resident, &r.Goroutines, &r.InTurn50, &r.InTurn99, &r.AtRate50, &r.AtRate99,
		&r.Gaps, &r.Longest, &r.Lost, &r.Jumps, &r.People, &r.Behind}
}

// medianRow returns the medians of one row's runs, figure by figure.
func medianRow(runs []loadRow) loadRow {
	row := runs[0]
	row.Runs = len(runs)
	for i, figure := range row.figures() {
		var values []float64
		for _, run := range runs {
			values = append(values, *run.figures()[i])
		}
		slices.Sort(values)
		*figure = (values[(len(values)-1)/2] + values[len(values)/2]) / 2
	}
	return row
}

// rivalRow is what livekit/sip (August 2026) cost on the same machine, with LiveKit 1.13.11. It holds 12 phones
// in one room and 25 in rooms of their own; a row that it was not measured with is zero.
type rivalRow struct{ CPU, Server, MB, SetUp50, SetUp99, Gaps float64 }

const broken = -1 // half of the packets were missing, so that its CPU says nothing

func rival(scenario string, calls int) rivalRow {
	switch scenario {
	case oneRoom, fewTalk: // it decodes, mixes and encodes silence as it does speech
		return map[int]rivalRow{
			1:  {0.077, 0.040, 10.7, 53, 53, 0},
			5:  {0.069, 0.025, 5.3, 44, 68, 0},
			10: {0.065, 0.021, 5.0, 54, 80, 0},
			20: {0.066, 0.020, 6.7, 112, 1700, 98},
			40: {broken, 0.015, 9.8, 2226, 13063, 130},
		}[calls]
	case ownRooms:
		return map[int]rivalRow{
			1:  {0.083, 0.050, 10.3, 71, 71, 0},
			5:  {0.054, 0.028, 4.5, 59, 75, 0},
			10: {0.044, 0.022, 3.5, 69, 89, 0},
			20: {0.036, 0.016, 2.8, 64, 163, 0},
			40: {0.027, 0.009, 2.6, 112, 1520, 3},
		}[calls]
	}
	return rivalRow{}
}

// surge is what many calls a second do.
type surge struct {
	PerSecond int     `json:"calls_a_second"`
	Seconds   int     `json:"seconds"`
	Hold      float64 `json:"each_lasts_s"`
	Failed    int     `json:"failed"`
	SetUp50   float64 `json:"set_up_p50_ms"`
	SetUp99   float64 `json:"set_up_p99_ms"`
	SetUpMost float64 `json:"set_up_most_ms"`
	AtOnce    int     `json:"calls_at_once_at_most"`
	CPU       float64 `json:"cpu_ms_per_set_up"`        // of the gateway, the whole short call
	Server    float64 `json:"server_cpu_ms_per_set_up"` // of livekit-server
}

// loadReport is everything that was measured in one run of the test.
type loadReport struct {
	Server string    `json:"livekit_server"`
	Rows   []loadRow `json:"rows"`
	Surges []surge   `json:"surges"`
	Goals  []goal    `json:"goals"`
}

// goal is what was to be reached, and what was.
type goal struct {
	Name   string  `json:"name"`
	Most   float64 `json:"most"`
	Figure float64 `json:"figure"`
	Met    bool    `json:"met"`
}

// judge compares the figures with the goals of those rows that were measured.
func (r *loadReport) judge() {
	most := func(name string, most, figure float64) {
		r.Goals = append(r.Goals, goal{name, most, figure, figure <= most})
	}
	for _, row := range r.Rows {
		name := fmt.Sprintf("%s, %d phones: ", row.Scenario, row.Calls)
		switch {
		case row.Scenario == oneRoom && row.Calls == 10:
			most(name+"CPU of the rival's (a fifth)", 0.2, row.CPU/rival(oneRoom, 10).CPU)
			most(name+"set-up p50 in turn, ms", 40, row.InTurn50)
			most(name+"set-up p50 at 10 a second, ms", 40, row.AtRate50)
		case row.Scenario == fewTalk:
			most(name+"CPU of the rival's (a twentieth)", 0.05, row.CPU/rival(fewTalk, 10).CPU)
		case row.Calls == 100:
			most(name+"gaps above 60 ms per 1000 packets", 0, row.Gaps)
			most(name+"MB a call, all that the process has", 1.5, row.Resident/float64(row.Calls))
		}
	}
	for _, s := range r.Surges {
		name := fmt.Sprintf("%d calls a second for %d s: ", s.PerSecond, s.Seconds)
		most(name+"failed", 0, float64(s.Failed))
	}
}

// write prints the report as a table and as one line of JSON, and keeps both in .tmp/peers.
func (r *loadReport) write(t *testing.T) {
	t.Helper()
	r.judge()
	table := r.table()
	t.Log("\n" + table)
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"livekitload.md": table, "livekitload.json": string(line) + "\n"} {
		if err := os.WriteFile(filepath.Join(Root(), ".tmp", "peers", name), []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
	for _, g := range r.Goals {
		if !g.Met && os.Getenv("PASSERELLE_JUDGE") != "" {
			t.Errorf("%s: %.3f, want at most %v", g.Name, g.Figure, g.Most)
		}
	}
}

// table is the report in Markdown: ours, the rival's, and the ratio.
func (r *loadReport) table() string {
	var b strings.Builder
	for i, row := range r.Rows {
		if i == 0 || r.Rows[i-1].Scenario != row.Scenario {
			fmt.Fprintf(&b, "\n%s\n\n", row.Scenario)
			b.WriteString("| calls | CPU/call | rival | ratio | server/call | rival | MB/call (process) | rival | ratio | goroutines/call | set-up p50 / p99 ms, in turn | at 10 a second | rival | gaps > 60 ms per 1000 | rival | lost | load generator, cores |\n")
			b.WriteString(strings.Repeat("|---", 17) + "|\n")
		}
		v := rival(row.Scenario, row.Calls)
		fmt.Fprintf(&b, "| %d | %.4f | %s | %s | %.3f | %s | %.2f (%.0f) | %s | %s | %.0f | %.0f / %.0f | %.0f / %.0f | %s | %.2f | %s | %.0f | %.2f |\n",
			row.Calls, row.CPU, figure("%.3f", v.CPU), ratio(row.CPU, v.CPU), row.Server, figure("%.3f", v.Server),
			row.MB, row.Resident, figure("%.1f", v.MB), ratio(row.MB, v.MB), row.Goroutines, row.InTurn50, row.InTurn99, row.AtRate50, row.AtRate99,
			setUp(v), row.Gaps, rivalGaps(v), row.Lost, row.Generator)
	}
	if len(r.Surges) > 0 {
		b.WriteString("\n| calls a second | for | each lasts | failed | set-up p50 / p99 / most ms | at once | gateway's CPU a call | server's |\n" + strings.Repeat("|---", 8) + "|\n")
	}
	for _, s := range r.Surges {
		fmt.Fprintf(&b, "| %d | %d s | %.0f s | %d | %.0f / %.0f / %.0f | %d | %.1f ms | %.1f ms |\n",
			s.PerSecond, s.Seconds, s.Hold, s.Failed, s.SetUp50, s.SetUp99, s.SetUpMost, s.AtOnce, s.CPU, s.Server)
	}
	if len(r.Goals) > 0 {
		b.WriteString("\n| goal | at most | figure | |\n|---|---|---|---|\n")
	}
	for _, g := range r.Goals {
		verdict := "met"
		if !g.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(&b, "| %s | %v | %.3f | %s |\n", g.Name, g.Most, g.Figure, verdict)
	}
	return b.String()
}

func figure(format string, v float64) string {
	switch v {
	case 0:
		return "-"
	case broken:
		return "broken"
	}
	return fmt.Sprintf(format, v)
}

func ratio(ours, theirs float64) string {
	if theirs <= 0 {
		return "-"
	}
	return fmt.Sprintf("1/%.1f", theirs/ours)
}

func setUp(v rivalRow) string {
	if v.SetUp50 == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f / %.0f", v.SetUp50, v.SetUp99)
}

func rivalGaps(v rivalRow) string {
	if v.SetUp50 == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v.Gaps)
}
