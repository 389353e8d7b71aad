// Package plot draws figures as SVG: lines over time, bars, and what was to be reached. It needs nothing from outside,
// neither fonts nor scripts, and knows light and dark. It does not know what the figures are of.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Plot is one drawing.
type Plot struct {
	Title  string
	X, Y   string // what the axes count, with units
	Series []Series
	Goal   float64  // a line across; 0 is none
	GoalIs string   // what is written at it
	Bars   bool     // instead of lines; series stand side by side
	Names  []string // of the bars, instead of figures along the x axis
	Width  int      // 0 is 560
	Height int      // 0 is 240
	YFrom  float64  // where the y axis begins
	YTo    float64  // where it ends at least
	YExact bool     // YTo is where it ends
}

// Series is figures that belong together.
type Series struct {
	Name string
	X, Y []float64
	Dots bool // a point for each figure, and no line
}

const (
	left, right, top, bottom = 52, 16, 34, 40
	colours                  = 6
)

// Style is what a drawing's classes look like: for a page once, or within each drawing that stands alone.
const Style = `.plot{--ink:#1c2430;--soft:#667085;--grid:#e4e7ec;--face:#fff;--c0:#2563eb;--c1:#e8590c;--c2:#0d9488;--c3:#9333ea;--c4:#ca8a04;--c5:#64748b;--goal:#dc2626;font-family:ui-sans-serif,system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media(prefers-color-scheme:dark){.plot{--ink:#e6e9ef;--soft:#98a2b3;--grid:#2b3442;--face:#151b26;--c0:#6ea0ff;--c1:#ff9857;--c2:#3fd0c0;--c3:#c99aff;--c4:#f2c94c;--c5:#94a3b8;--goal:#ff7b7b}}
.plot .face{fill:var(--face)}.plot text{fill:var(--soft);font-size:11px}.plot .title{fill:var(--ink);font-size:13px;font-weight:600}.plot .grid{stroke:var(--grid);stroke-width:1}.plot .goal{stroke:var(--goal);stroke-width:1.25;stroke-dasharray:5 4}.plot .goalis{fill:var(--goal)}
.plot .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.plot .area{opacity:.1;stroke:none}.plot .key{fill:var(--ink)}
` + `.plot .s0{stroke:var(--c0)}.plot .s1{stroke:var(--c1)}.plot .s2{stroke:var(--c2)}.plot .s3{stroke:var(--c3)}.plot .s4{stroke:var(--c4)}.plot .s5{stroke:var(--c5)}.plot .f0{fill:var(--c0)}.plot .f1{fill:var(--c1)}.plot .f2{fill:var(--c2)}.plot .f3{fill:var(--c3)}.plot .f4{fill:var(--c4)}.plot .f5{fill:var(--c5)}`

// Alone returns the drawing as a file of its own.
func (p Plot) Alone() string {
	return strings.Replace(p.SVG(), ">", "><style>"+Style+"</style>", 1) + "\n"
}

// SVG returns the drawing for a page that has the Style.
func (p Plot) SVG() string {
	d := newDrawing(p)
	fmt.Fprintf(d, `<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`, d.Width, d.Height, html.EscapeString(p.Title))
	fmt.Fprintf(d, `<rect class="face" width="%d" height="%d" rx="8"/>`, d.Width, d.Height)
	d.text(left-36, 20, "title", "start", p.Title)
	d.axes()
	d.keys()
	for i, s := range p.Series {
		switch {
		case p.Bars:
			d.bars(i, s)
		case s.Dots:
			d.dots(i, s)
		default:
			d.line(i, s)
		}
	}
	d.goal()
	d.WriteString("</svg>")
	return d.String()
}

// drawing is a plot while it is drawn.
type drawing struct {
	strings.Builder
	Plot
	x0, x1, y0, y1 float64 // of the figures
	class          float64 // from one bar to the next
}

func newDrawing(p Plot) *drawing {
	if p.Width == 0 {
		p.Width = 560
	}
	if p.Height == 0 {
		p.Height = 240
	}
	d := &drawing{Plot: p, x0: math.Inf(1), x1: math.Inf(-1), y0: p.YFrom, y1: max(p.YTo, p.YFrom)}
	for _, s := range p.Series {
		for i := range s.Y {
			x := float64(i)
			if i < len(s.X) {
				x = s.X[i]
			}
			d.x0, d.x1 = min(d.x0, x), max(d.x1, x)
			if !math.IsNaN(s.Y[i]) {
				d.y1 = max(d.y1, s.Y[i])
			}
		}
	}
	d.y1 = max(d.y1, p.Goal*1.08)
	if p.YExact {
		d.y1 = p.YTo
	}
	if p.Bars {
		d.class = 1
		if len(p.Series) > 0 && len(p.Series[0].X) > 1 {
			d.class = p.Series[0].X[1] - p.Series[0].X[0]
		}
		d.x0, d.x1 = d.x0-d.class/2, d.x1+d.class/2
	}
	if math.IsInf(d.x0, 0) || d.x0 == d.x1 {
		d.x0, d.x1 = 0, 1
	}
	if d.y1 <= d.y0 {
		d.y1 = d.y0 + 1
	}
	if step := stepOf(d.y1-d.y0, 5); !p.YExact {
		d.y1 = d.y0 + math.Ceil((d.y1-d.y0)/step-1e-9)*step
	}
	return d
}

func (d *drawing) px(x float64) float64 {
	return left + (x-d.x0)/(d.x1-d.x0)*float64(d.Width-left-right)
}

func (d *drawing) py(y float64) float64 {
	y = min(max(y, d.y0), d.y1)
	return float64(d.Height-bottom) - (y-d.y0)/(d.y1-d.y0)*float64(d.Height-top-bottom-14)
}

func (d *drawing) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(d, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, html.EscapeString(s))
}

// axes draws grid and figures.
func (d *drawing) axes() {
	step := stepOf(d.y1-d.y0, 5)
	for y := d.y0; y <= d.y1+step/1e6; y += step {
		fmt.Fprintf(d, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, d.Width-right, d.py(y), d.py(y))
		d.text(left-6, d.py(y)+4, "", "end", short(y))
	}
	base := float64(d.Height - bottom)
	for i, name := range d.Names {
		d.text(d.px(float64(i)), base+15, "", "middle", name)
	}
	if len(d.Names) == 0 {
		step := stepOf(d.x1-d.x0, 8)
		for x := math.Ceil(d.x0/step-1e-9) * step; x <= d.x1+step/1e6; x += step {
			d.text(d.px(x), base+15, "", "middle", short(x))
		}
	}
	d.text(float64(left+d.Width-right)/2, float64(d.Height)-8, "", "middle", d.X)
	d.text(left-36, top+4, "", "start", d.Y)
}

// keys names the series, at the right end of the title's line.
func (d *drawing) keys() {
	const letter = 6.2
	at := float64(d.Width - right)
	for i := len(d.Series) - 1; i >= 0 && len(d.Series) > 1; i-- {
		at -= letter * float64(len([]rune(d.Series[i].Name)))
		d.text(at, top+4, "key", "start", d.Series[i].Name)
		fmt.Fprintf(d, `<rect class="f%d" x="%.1f" y="%d" width="10" height="10" rx="2.5"/>`, i%colours, at-15, top-5)
		at -= 28
	}
}

// line draws a series as a line with a shadow beneath it, broken where a figure is not a number.
func (d *drawing) line(n int, s Series) {
	var path strings.Builder
	pen, points := "M", 0
	for i, y := range s.Y {
		if math.IsNaN(y) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, d.px(s.X[i]), d.py(y))
		pen = "L"
		points++
	}
	if points == 0 {
		return
	}
	if len(d.Series) == 1 && points == len(s.Y) {
		fmt.Fprintf(d, `<path class="area f0" d="%sL%.1f %.1fL%.1f %.1fZ"/>`, path.String(), d.px(s.X[len(s.X)-1]), d.py(d.y0), d.px(s.X[0]), d.py(d.y0))
	}
	fmt.Fprintf(d, `<path class="line s%d" d="%s"/>`, n%colours, path.String())
	if points <= 20 {
		d.dots(n, s)
	}
}

func (d *drawing) dots(n int, s Series) {
	radius := 3.0
	if len(s.Y) > 60 {
		radius = 1.6
	}
	for i, y := range s.Y {
		if !math.IsNaN(y) {
			fmt.Fprintf(d, `<circle class="f%d" cx="%.1f" cy="%.1f" r="%.1f"/>`, n%colours, d.px(s.X[i]), d.py(y), radius)
		}
	}
}

// bars draws a series' bars, beside those of the others.
func (d *drawing) bars(n int, s Series) {
	of := float64(len(d.Series))
	room := (d.px(d.class) - d.px(0)) * 0.78
	for i, y := range s.Y {
		x := float64(i)
		if i < len(s.X) {
			x = s.X[i]
		}
		from := d.px(x) - room/2 + room*float64(n)/of
		if height := d.py(d.y0) - d.py(y); height > 0 {
			fmt.Fprintf(d, `<rect class="f%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, n%colours, from, d.py(y), max(room/of-1, 0.8), height, min(2, room/of/4))
		}
	}
}

func (d *drawing) goal() {
	if d.Goal <= 0 {
		return
	}
	fmt.Fprintf(d, `<line class="goal" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, d.Width-right, d.py(d.Goal), d.py(d.Goal))
	d.text(float64(d.Width-right-4), d.py(d.Goal)-5, "goalis", "end", d.GoalIs)
}

// stepOf is 1, 2 or 5 times a power of ten, about n of which span a range.
func stepOf(span float64, n int) float64 {
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*1.0001 {
			return m * power
		}
	}
	return 10 * power
}

// short writes a figure as axes want it.
func short(v float64) string {
	if math.Abs(v) < 1e-9 {
		return "0"
	}
	if a := math.Abs(v); a >= 10000 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1000), ".0") + "k"
	}
	s := fmt.Sprintf("%.3f", v)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Histogram counts figures in classes of a width, from 0 on, of which there are most at most; the last is for what is
// above. It returns a series of bars.
func Histogram(name string, figures []float64, width float64, most int) Series {
	s := Series{Name: name}
	for _, f := range figures {
		i := min(max(int(f/width), 0), most-1)
		for len(s.Y) <= i {
			s.X = append(s.X, float64(len(s.X)))
			s.Y = append(s.Y, 0)
		}
		s.Y[i]++
	}
	for i := range s.X {
		s.X[i] = (float64(i) + 0.5) * width
	}
	return s
}
