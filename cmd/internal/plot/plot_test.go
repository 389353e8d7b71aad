package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// TestSVG draws what may come, and every drawing is XML without a figure that is none.
func TestSVG(t *testing.T) {
	for name, p := range map[string]Plot{
		"lines":        {Title: "a < b & c", X: "s", Y: "ms", Goal: 60, GoalIs: "goal", Series: []Series{{Name: "x", X: []float64{0, 1, 2}, Y: []float64{1, math.NaN(), 30000}}, {Name: "y", X: []float64{0}, Y: []float64{2}}}},
		"nothing":      {Title: "nothing"},
		"no points":    {Title: "none", Series: []Series{{Name: "x"}}},
		"one point":    {Title: "one", Series: []Series{{Name: "x", X: []float64{3}, Y: []float64{0}}}},
		"bars":         {Title: "bars", Bars: true, Names: []string{"a", "b"}, Series: []Series{{Y: []float64{1, 2}}, {Y: []float64{2, 0}}}},
		"histogram":    {Title: "h", Bars: true, Series: []Series{Histogram("", []float64{1, 1, 7, 1000}, 2, 10)}},
		"not a number": {Title: "nan", Series: []Series{{X: []float64{0, 1}, Y: []float64{math.NaN(), math.NaN()}}}},
	} {
		for _, svg := range []string{p.SVG(), p.Alone()} {
			decoder := xml.NewDecoder(strings.NewReader(svg))
			for {
				_, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, svg)
				}
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("%s: %s", name, svg)
			}
		}
	}
}

func TestStepOf(t *testing.T) {
	for _, c := range []struct{ span, want float64 }{{1, 0.2}, {10, 2}, {50, 10}, {93.2, 20}, {0.003, 0.001}, {1200, 500}} {
		if got := stepOf(c.span, 5); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v in about 5 steps: %v, want %v", c.span, got, c.want)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := Histogram("", []float64{0, 1.9, 2, 99}, 2, 3)
	if len(h.Y) != 3 || h.Y[0] != 2 || h.Y[1] != 1 || h.Y[2] != 1 || h.X[1] != 3 {
		t.Errorf("%+v", h)
	}
}
