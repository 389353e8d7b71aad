//go:build peers

package peers

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/cmd/internal/plot"
)

// soundReport is what TestSoundLoad has found.
type soundReport struct {
	Capacity []capacityRow `json:"capacity,omitempty"`
	Floor    []floorRow    `json:"floor,omitempty"`
	Rival    []rivalsRow   `json:"rival,omitempty"`
	SetUp    []setUpRow    `json:"set_up,omitempty"`
	Quality  []qualityRow  `json:"quality,omitempty"`
}

// capacityRow is a number of calls in one room, and whether they were held.
type capacityRow struct {
	Talkers   float64 `json:"talkers"`
	Calls     int     `json:"calls"`
	Clean     int     `json:"clean"`
	Gaps      int     `json:"gaps_above_60_ms"`
	Longest   float64 `json:"longest_gap_ms"`
	Lost      int     `json:"lost"`
	Skipped   int     `json:"ticks_skipped"`
	Ring      int     `json:"too_late_for_neighbours"`
	Gateway   float64 `json:"gateway_cores"`
	PerCall   float64 `json:"gateway_cores_per_call"`
	Generator float64 `json:"generator_cores"`
	Late      float64 `json:"generator_late_ms"`
	KB        float64 `json:"kb_per_call"`
	SetUp99   float64 `json:"set_up_p99_ms"`
	Delay     float64 `json:"delay_p50_ms"`
}

// held says whether every call was clean, and nothing was lost in the gateway.
func (r capacityRow) held() bool { return r.Clean == r.Calls && r.Lost == 0 }

// floorRow is the gateway's CPU beside the least that is possible, in cores a call.
type floorRow struct {
	Calls   int     `json:"calls"`
	Gateway float64 `json:"gateway"`
	Floor   float64 `json:"floor"` // the same packets received, decoded, encoded, and sent twice
	Echo    float64 `json:"echo"`  // received and sent back
}

// rivalsRow is the scenario of livekit/sip, in our own rooms.
type rivalsRow struct {
	Calls   int     `json:"calls"`
	CPU     float64 `json:"cores_per_call"`
	Rival   float64 `json:"livekit_sip_cores_per_call"`
	Server  float64 `json:"livekit_server_cores_per_call"`
	KB      float64 `json:"kb_per_call"`
	RivalMB float64 `json:"livekit_sip_mb_per_call"`
	SetUp99 float64 `json:"set_up_p99_ms"`
	Gaps    int     `json:"gaps_above_60_ms"`
}

// setUpRow is calls that come at a rate, and how long they wait.
type setUpRow struct {
	Rate      float64 `json:"rate"`
	Answered  int     `json:"answered"`
	Failed    int     `json:"failed"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Most      float64 `json:"most_ms"`
	Gateway   float64 `json:"gateway_cores"`
	Generator float64 `json:"generator_cores"`
}

// qualityRow is a bad network, with the gateway between two phones and without.
type qualityRow struct {
	Jitter float64     `json:"jitter_ms"`
	Loss   float64     `json:"loss_percent"`
	With   heardFigure `json:"with"`
	Bare   heardFigure `json:"without"`
}

// heardFigure is the median of the listeners'.
type heardFigure struct {
	Delay    float64 `json:"delay_ms"`
	MouthEar float64 `json:"mouth_to_ear_ms"`
	Loss     float64 `json:"loss_percent"`
	R        float64 `json:"r"`
	MOS      float64 `json:"mos"`
	Likeness float64 `json:"likeness"`
	SNR      float64 `json:"segmental_snr_db"`
	Spectrum float64 `json:"log_spectral_distance_db"`
}

// write keeps the report in .tmp/peers as soundload.json, soundload.md and plots, beside what earlier runs of other
// parts have left there.
func (r *soundReport) write(t *testing.T) {
	t.Helper()
	folder := filepath.Join(Root(), ".tmp", "peers")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	all := *r
	if old, err := os.ReadFile(filepath.Join(folder, "soundload.json")); err == nil {
		var before soundReport
		if json.Unmarshal(old, &before) == nil {
			all = before
			all.update(r)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"soundload.json": string(text) + "\n", "soundload.md": all.table()}
	for name, p := range all.plots() {
		files[name] = p.Alone()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Log("\n" + r.table())
}

// update takes over every part that was measured anew.
func (r *soundReport) update(n *soundReport) {
	if n.Capacity != nil {
		r.Capacity = n.Capacity
	}
	if n.Floor != nil {
		r.Floor = n.Floor
	}
	if n.Rival != nil {
		r.Rival = n.Rival
	}
	if n.SetUp != nil {
		r.SetUp = n.SetUp
	}
	if n.Quality != nil {
		r.Quality = n.Quality
	}
}

// table is the report in Markdown.
func (r *soundReport) table() string {
	var b strings.Builder
	head := func(title string, columns ...string) {
		fmt.Fprintf(&b, "\n%s\n\n| %s |\n%s|\n", title, strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	}
	if len(r.Capacity) > 0 {
		head("One room, everybody listening", "talking", "calls", "clean", "gaps > 60 ms (longest)", "lost", "ticks skipped", "gateway, cores", "a call", "generator, cores", "kB a call", "set-up p99", "delay p50")
	}
	for _, c := range r.Capacity {
		fmt.Fprintf(&b, "| %.0f%% | %d | %d | %d (%.0f ms) | %d | %d | %.2f | %.4f | %.2f | %.0f | %.1f ms | %.0f ms |\n",
			100*c.Talkers, c.Calls, c.Clean, c.Gaps, c.Longest, c.Lost, c.Skipped, c.Gateway, c.PerCall, c.Generator, c.KB, c.SetUp99, c.Delay)
	}
	if len(r.Floor) > 0 {
		head("CPU beside the floor, everybody talking, cores a call", "calls", "gateway", "floor", "ratio (goal 1.2)", "bare echo")
	}
	for _, f := range r.Floor {
		fmt.Fprintf(&b, "| %d | %.5f | %.5f | %.2f | %.5f |\n", f.Calls, f.Gateway, f.Floor, f.Gateway/f.Floor, f.Echo)
	}
	if len(r.Rival) > 0 {
		head("Beside livekit/sip, one room, everybody talking", "calls", "CPU/call", "livekit/sip", "ratio", "with its server's share", "kB/call", "livekit/sip MB/call", "set-up p99", "gaps")
	}
	for _, v := range r.Rival {
		fmt.Fprintf(&b, "| %d | %.4f | %.3f | %s | %s | %.0f | %.1f | %.1f ms | %d |\n", v.Calls, v.CPU, v.Rival, ratio(v.CPU, v.Rival), ratio(v.CPU, v.Rival+v.Server), v.KB, v.RivalMB, v.SetUp99, v.Gaps)
	}
	if len(r.SetUp) > 0 {
		head("Set-up, each call 2 s long, for 5 s", "calls a second", "answered", "failed", "INVITE to 200: p50", "p99", "most", "gateway, cores", "generator, cores")
	}
	for _, s := range r.SetUp {
		fmt.Fprintf(&b, "| %.0f | %d | %d | %.1f ms | %.1f ms | %.1f ms | %.2f | %.2f |\n", s.Rate, s.Answered, s.Failed, s.P50, s.P99, s.Most, s.Gateway, s.Generator)
	}
	if len(r.Quality) > 0 {
		head("A bad network each way; with the gateway / without it", "jitter", "loss", "delay", "mouth to ear", "lost or late", "R", "MOS", "likeness", "segmental SNR", "spectrum off")
	}
	for _, q := range r.Quality {
		w, o := q.With, q.Bare
		fmt.Fprintf(&b, "| %.0f ms | %.0f%% | %.0f / %.0f ms | %.0f / %.0f ms | %.1f / %.1f%% | %.1f / %.1f | %.2f / %.2f | %.2f / %.2f | %.1f / %.1f dB | %.1f / %.1f dB |\n",
			q.Jitter, q.Loss, w.Delay, o.Delay, w.MouthEar, o.MouthEar, w.Loss, o.Loss, w.R, o.R, w.MOS, o.MOS, w.Likeness, o.Likeness, w.SNR, o.SNR, w.Spectrum, o.Spectrum)
	}
	return b.String()
}

// plots are the drawings for the documentation, by file.
func (r *soundReport) plots() map[string]plot.Plot {
	all := map[string]plot.Plot{}
	if len(r.Quality) > 0 {
		all["quality.svg"] = r.qualityPlot("Quality over a bad network", "R (ITU-T G.107)", 93.2, func(h heardFigure) float64 { return h.R })
		all["delay.svg"] = r.qualityPlot("Delay over a bad network", "ms from mouth to ear", 0, func(h heardFigure) float64 { return h.MouthEar })
	}
	if len(r.Capacity) > 0 {
		p := plot.Plot{Title: "CPU of the gateway, one room", X: "calls", Y: "cores", Width: 720, Height: 280, Goal: 2, GoalIs: "all there is, the load generator beside"}
		for _, talkers := range []float64{1, 0.1} {
			s := plot.Series{Name: fmt.Sprintf("%.0f%% talking", 100*talkers), X: []float64{0}, Y: []float64{0}}
			for _, c := range r.Capacity {
				if c.Talkers == talkers {
					s.X, s.Y = append(s.X, float64(c.Calls)), append(s.Y, c.Gateway)
				}
			}
			p.Series = append(p.Series, s)
		}
		all["capacity.svg"] = p
	}
	return all
}

// qualityPlot has a line for each loss and way, over jitter.
func (r *soundReport) qualityPlot(title, y string, most float64, of func(heardFigure) float64) plot.Plot {
	p := plot.Plot{Title: title, X: "ms of jitter each way", Y: y, Width: 720, Height: 340, YTo: most}
	for _, loss := range []float64{0, 5, 10} {
		with, bare := plot.Series{Name: fmt.Sprintf("%.0f%% lost", loss)}, plot.Series{Name: fmt.Sprintf("%.0f%%, no gateway", loss)}
		for _, q := range r.Quality {
			if q.Loss == loss {
				with.X, with.Y = append(with.X, q.Jitter), append(with.Y, of(q.With))
				bare.X, bare.Y = append(bare.X, q.Jitter), append(bare.Y, of(q.Bare))
			}
		}
		p.Series = append(p.Series, with, bare)
	}
	return p
}
