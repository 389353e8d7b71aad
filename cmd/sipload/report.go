package main

import (
	"cmp"
	_ "embed" // the page
	"fmt"
	"html/template"
	"slices"
	"strings"

	"passerelle/cmd/internal/load"
	"passerelle/cmd/internal/plot"
)

//go:embed report.html
var reportTemplate string

// tile is one figure at the top of the page.
type tile struct {
	Name, Value, Unit, Note string
	Bad                     bool
}

// view is what the page shows.
type view struct {
	*load.Result
	Style template.CSS
	Tiles []tile
	Plots []template.HTML
	Worst []*load.Call
}

// page makes the report: one file that needs nothing else.
func page(r *load.Result) (string, error) {
	functions := template.FuncMap{
		"figure":  func(v float64) string { return fmt.Sprintf("%.1f", v) },
		"figure2": func(v float64) string { return fmt.Sprintf("%.2f", v) },
		"figure3": func(v float64) string { return fmt.Sprintf("%.3f", v) },
		"percent": func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
	}
	t, err := template.New("report").Funcs(functions).Parse(reportTemplate)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, view{Result: r, Style: plot.Style, Tiles: tiles(r), Plots: plots(r), Worst: worstCalls(r, 12)})
	return b.String(), err
}

func tiles(r *load.Result) []tile {
	p := r.Packets
	all := []tile{
		{"answered", fmt.Sprint(r.Answered), fmt.Sprintf("of %d", r.Placed), fmt.Sprintf("%d failed", r.Failed), r.Failed > 0},
		{"clean", fmt.Sprint(r.Clean), "calls", fmt.Sprintf("%d gaps, %d lost", p.Gaps, p.Missing+p.Reported), r.Clean < r.Answered},
	}
	if r.SetUp.Most > 0 {
		all = append(all, tile{"set-up", fmt.Sprintf("%.1f", r.SetUp.P50), "ms", fmt.Sprintf("p99 %.1f ms", r.SetUp.P99), r.SetUp.P99 > 200})
	}
	if r.Delay.N > 0 {
		all = append(all, tile{"delay", fmt.Sprintf("%.0f", r.Delay.P50), "ms", fmt.Sprintf("p99 %.0f ms, phone to phone", r.Delay.P99), false})
	}
	all = append(all, tile{"quality", fmt.Sprintf("%.1f", r.R.P50), "R", fmt.Sprintf("MOS %.2f, worst call %.2f", r.MOS.P50, r.MOS.Most), r.MOS.Most < 3.6})
	if r.Gateway.Resident > 0 {
		all = append(all, tile{"gateway", fmt.Sprintf("%.2f", r.Gateway.Cores), "cores", fmt.Sprintf("%.2f %% a call; %.0f MB", 100*r.Gateway.PerCall, r.Gateway.Resident), false})
	}
	return append(all, tile{"generator", fmt.Sprintf("%.2f", r.Generator.Cores), "cores", fmt.Sprintf("at most %.0f ms late", r.Generator.Late), r.Generator.Late > 40})
}

// plots draws what there is to see, and leaves out what was not looked at.
func plots(r *load.Result) (all []template.HTML) {
	add := func(p plot.Plot) { all = append(all, template.HTML(p.SVG())) } // #nosec G203 -- drawn by us, its text is escaped
	over := func(name string, f func(load.Sample) float64) plot.Series {
		s := plot.Series{Name: name}
		for _, t := range r.Timeline {
			s.X, s.Y = append(s.X, t.At), append(s.Y, f(t))
		}
		return s
	}
	add(plot.Plot{Title: "Calls", X: "seconds", Series: []plot.Series{
		over("up", func(t load.Sample) float64 { return float64(t.Up) }),
		over("talking", func(t load.Sample) float64 { return float64(t.Talking) }),
		over("failed", func(t load.Sample) float64 { return float64(t.Failed) }),
	}})
	if r.SetUp.Most > 0 {
		add(setUpPlot(r))
	}
	cores := plot.Plot{Title: "CPU", X: "seconds", Y: "cores", Series: []plot.Series{over("generator", func(t load.Sample) float64 { return t.Generator })}}
	if r.Gateway.Resident > 0 {
		cores.Series = append([]plot.Series{over("gateway", func(t load.Sample) float64 { return t.Gateway })}, cores.Series...)
	}
	add(cores)
	if r.Gateway.Resident > 0 {
		add(plot.Plot{Title: "The gateway's memory", X: "seconds", Y: "MB", Series: []plot.Series{
			over("resident", func(t load.Sample) float64 { return t.Resident }), over("heap", func(t load.Sample) float64 { return t.Heap }),
		}})
		add(plot.Plot{Title: "What the gateway holds", X: "seconds", Series: []plot.Series{
			over("goroutines", func(t load.Sample) float64 { return float64(t.Goroutines) }), over("open files", func(t load.Sample) float64 { return float64(t.Files) }),
		}})
	}
	add(packetPlot(r))
	add(gapPlot(r))
	add(qualityPlot(r))
	return all
}

// setUpPlot has a point for each call.
func setUpPlot(r *load.Result) plot.Plot {
	answered, ringing := plot.Series{Name: "answered (200)", Dots: true}, plot.Series{Name: "ringing (180)", Dots: true}
	for _, c := range r.Each {
		if c.Answered {
			answered.X, answered.Y = append(answered.X, c.Began), append(answered.Y, c.SetUp)
		}
		if c.Ringing > 0 { // a gateway that answers at once need not ring
			ringing.X, ringing.Y = append(ringing.X, c.Began), append(ringing.Y, c.Ringing)
		}
	}
	return plot.Plot{Title: "Set-up of each call", X: "seconds", Y: "ms after the INVITE", Series: []plot.Series{answered, ringing}}
}

// packetPlot is packets a second, which should be as level as a table.
func packetPlot(r *load.Result) plot.Plot {
	sent, received := plot.Series{Name: "sent"}, plot.Series{Name: "received"}
	for i := 1; i < len(r.Timeline); i++ {
		was, is := r.Timeline[i-1], r.Timeline[i]
		passed := is.At - was.At
		sent.X, sent.Y = append(sent.X, is.At), append(sent.Y, float64(is.Sent-was.Sent)/passed)
		received.X, received.Y = append(received.X, is.At), append(received.Y, float64(is.Received-was.Received)/passed)
	}
	return plot.Plot{Title: "Packets", X: "seconds", Y: "a second", Series: []plot.Series{sent, received}}
}

// gapPlot is how long each call was without a packet, at the longest.
func gapPlot(r *load.Result) plot.Plot {
	var longest []float64
	for _, c := range r.Each {
		if c.Answered {
			longest = append(longest, c.Longest)
		}
	}
	return plot.Plot{Title: "Longest gap of each call", X: "ms between two packets (60 is what a listener notices)", Y: "calls", Bars: true,
		Series: []plot.Series{plot.Histogram("calls", longest, 4, 40)}}
}

// qualityPlot is how users would find the calls.
func qualityPlot(r *load.Result) plot.Plot {
	classes := []struct {
		name string
		from float64
	}{{"below 50", 0}, {"50 to 60", 50}, {"60 to 70", 60}, {"70 to 80", 70}, {"80 to 90", 80}, {"above 90", 90}}
	p := plot.Plot{Title: "How users would find it", X: "R of ITU-T G.107: above 90 very satisfied, above 80 satisfied, below 60 nearly all dissatisfied", Y: "calls", Bars: true, Series: []plot.Series{{Y: make([]float64, len(classes))}}}
	for i, c := range classes {
		p.Names = append(p.Names, c.name)
		for _, call := range r.Each {
			if call.Received > 0 && call.R >= c.from && (i+1 == len(classes) || call.R < classes[i+1].from) {
				p.Series[0].Y[i]++
			}
		}
	}
	return p
}

// worstCalls are those that failed, that were not clean, and then those of the lowest R.
func worstCalls(r *load.Result, most int) []*load.Call {
	trouble := func(c *load.Call) int {
		if c.Error != "" {
			return 1 << 30
		}
		return c.Gaps + c.Missing + c.Reported + c.Jumps
	}
	calls := slices.Clone(r.Each)
	slices.SortStableFunc(calls, func(a, b *load.Call) int {
		return cmp.Or(cmp.Compare(trouble(b), trouble(a)), cmp.Compare(a.R, b.R), cmp.Compare(b.Longest, a.Longest))
	})
	return calls[:min(most, len(calls))]
}
