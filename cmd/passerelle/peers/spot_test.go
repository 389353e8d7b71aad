package peers

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"passerelle/codec/score"
)

func TestSpot(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	noise := func(n, loud int) []int16 {
		x := make([]int16, n)
		for i := range x {
			x[i] = int16(random.IntN(2*loud) - loud)
		}
		return x
	}
	sound, elsewhere := noise(8000*3, 3000), noise(8000*10, 300)
	if begin, there := spot(sound, elsewhere); there {
		t.Errorf("a sound that is nowhere is found at %d", begin)
	}
	copy(elsewhere[8000*4:], sound)
	if begin, there := spot(sound, elsewhere); !there || begin != 8000*4 {
		t.Errorf("a sound at %d is found: %v, at %d", 8000*4, there, begin)
	}
	if begin, there := spot(sound, nil); there {
		t.Errorf("a sound is found in nothing, at %d", begin)
	}
	if begin, there := spot(make([]int16, 8000), elsewhere); there {
		t.Errorf("silence is found at %d", begin)
	}
}

func TestEcho(t *testing.T) {
	sound, err := score.ReadFile(filepath.Join(Root(), "testdata", "speech", Man+".wav"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		late  int // samples; 0: no second copy
		twice bool
	}{{"once", 0, false}, {"40 ms later", 320, true}, {"300 ms later", 2400, true}} {
		recording := make([]int16, len(sound)+8000*3)
		copy(recording[8000:], sound)
		if c.late > 0 {
			for i, v := range sound {
				recording[8000+c.late+i] += v / 10 * 9
			}
		}
		if begin, twice := echo(sound, recording); twice != c.twice {
			t.Errorf("%s: heard twice: %v (at %d)", c.name, twice, begin)
		}
	}
}
