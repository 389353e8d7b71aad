package sdp

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
)

const head = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n"

func TestLimits(t *testing.T) {
	audio := "m=audio 4000 RTP/AVP 0\r\n"
	formats := func(n int) string { return "m=audio 4000 RTP/AVP 0" + strings.Repeat(" 8", n-1) + "\r\n" }
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"as many m-lines as allowed":  {head + strings.Repeat(audio, MaxMedia), nil},
		"one m-line more":             {head + strings.Repeat(audio, MaxMedia+1), ErrTooLarge},
		"as many formats as allowed":  {head + formats(MaxFormats), nil},
		"one format more":             {head + formats(MaxFormats+1), ErrTooLarge},
		"too many on a line for fax":  {head + audio + "m=image 1 udptl" + strings.Repeat(" a", MaxFormats+1) + "\r\n", ErrTooLarge},
		"as many bytes as allowed":    {pad(head+audio, MaxBody), nil},
		"one byte more":               {pad(head+audio, MaxBody+1), ErrTooLarge},
		"a port out of range":         {head + "m=audio 65536 RTP/AVP 0\r\n", ErrSyntax},
		"a port below":                {head + "m=audio -1 RTP/AVP 0\r\n", ErrSyntax},
		"an m-line cut short":         {head + "m=audio 4000\r\n", ErrSyntax},
		"an m-line of other letters":  {head + "m=audio 4000 RTP/AVP 0 (\r\n", ErrSyntax},
		"a carriage return in a line": {head + "a=x\ra=sendonly\r\n" + audio, ErrSyntax},
		"another version":             {strings.Replace(head, "v=0", "v=1", 1) + audio, ErrSyntax},
		"nothing":                     {"", ErrSyntax},
		"the last line unfinished":    {strings.TrimSpace(head + audio), nil},
		"bare line feeds":             {strings.ReplaceAll(head+audio, "\r\n", "\n"), nil},
		"the last port, no RTCP":      {head + "m=audio 65535 RTP/AVP 0\r\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Answer([]byte(test.body), parsePolicy(t, ""))
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// pad appends lines that mean nothing until body has n bytes.
func pad(body string, n int) string {
	body += strings.Repeat("a=x\r\n", (n-len(body))/5-1)
	return body + "a=" + strings.Repeat("x", n-len(body)-4) + "\r\n"
}

// TestBombs holds what a hostile description may cost: 2 ms and 1 MB.
func TestBombs(t *testing.T) {
	fill := func(line string) string {
		body := head + "m=audio 4000 RTP/AVP 0\r\n"
		return body + strings.Repeat(line, (MaxBody-len(body))/len(line))
	}
	long := head
	for i := range MaxMedia {
		long += fmt.Sprintf("m=video %d RTP/AVP %s\r\n", 4000+i, strings.Repeat("9", 3900))
	}
	for name, body := range map[string]string{
		"rtpmap":    fill("a=rtpmap:0 x/1\r\n"),
		"direction": fill("a=inactive\n"),
		"c=":        fill("c=IN IP4 1.2.3.4\n"),
		"b=":        fill("b=A:1\n"),
		"blank":     fill("\n"),
		"m=":        long,
	} {
		t.Run(name, func(t *testing.T) {
			local := parsePolicy(t, "")
			best := time.Hour
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const rounds = 20
			for range rounds {
				began := time.Now()
				_, _, _ = Answer([]byte(body), local)
				best = min(best, time.Since(began))
			}
			runtime.ReadMemStats(&after)
			t.Log(best, (after.TotalAlloc-before.TotalAlloc)/rounds)
			if cost := (after.TotalAlloc - before.TotalAlloc) / rounds; cost > 1<<20 {
				t.Errorf("%d bytes", cost)
			}
			if best > 2*time.Millisecond && !raceEnabled {
				t.Errorf("%s", best)
			}
		})
	}
}

func TestOwnSideMustBeSane(t *testing.T) {
	for name, change := range map[string]func(*Local){
		"no address":      func(l *Local) { l.Address = newLocal("0.0.0.0:20000").Address },
		"no port":         func(l *Local) { l.Address = newLocal("198.51.100.7:0").Address },
		"no codec":        func(l *Local) { l.Codecs = nil },
		"noise alone":     func(l *Local) { l.Codecs = []codec.Kind{codec.ComfortNoise} },
		"unknown codec":   func(l *Local) { l.Codecs = []codec.Kind{99} },
		"a packet of 25":  func(l *Local) { l.PTime = 25 * time.Millisecond },
		"a link of ours":  func(l *Local) { l.Address = newLocal("[fe80::1%eth0]:20000").Address },
		"an empty struct": func(l *Local) { *l = Local{} },
	} {
		t.Run(name, func(t *testing.T) {
			local := newLocal("198.51.100.7:20000")
			change(&local)
			var refusal *Error
			_, _, err := Answer([]byte(head+"m=audio 4000 RTP/AVP 0\r\n"), local)
			if err == nil || errors.As(err, &refusal) {
				t.Errorf("Answer: %v", err)
			}
			if _, err := Offer(local); err == nil {
				t.Error("Offer went through")
			}
		})
	}
}
