//go:build peers

package peers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloads has the gateway read 200 mutated files while two talk: each file is in force as a whole, or not at all, and nobody hears
// anything of it. Then a phone that talks is gone from the file, and is called no more.
func TestReloads(t *testing.T) {
	dir := Folder(t)
	nobody := fmt.Sprintf("sip:127.0.0.84:%d;transport=tcp", Ports(t, 1))
	gateway := StartGateway(t, dir, GatewayConfig{
		Phones: true, MD5: true, Admin: true, Carriers: []string{nobody},
		Complains: regexp.MustCompile(`the configuration stays as it was|configuration: |not registered with the trunk|server of a trunk is down|no proof of who it is`),
	})
	said := Says(t, dir, Man, 0.5, 0)
	woman := Says(t, dir, Woman, 0.5, 0)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: woman.WAV(8000), Registers: "2001@" + gateway.SIP.String(), AutoAnswer: true})
	awaitBindings(t, gateway, 1)
	bob := Call(t, dir, gateway, Dialling{Name: "bob", Number: "2001"})
	ada.AwaitTalking(t, 5*time.Second)

	spoken := make(chan struct{})
	go func() {
		defer close(spoken)
		bob.Say(t, said)
	}()
	good, err := os.ReadFile(gateway.file())
	if err != nil {
		t.Fatal(err)
	}
	inForce := string(good)
	taken, left := 0, 0
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		text := mutate(string(good), i, r)
		if gateway.reads(t, text) {
			inForce, taken = text, taken+1
		} else {
			left++
		}
		if i%10 == 0 {
			gateway.replace(t, inForce)
			if changes := gateway.pending(t); len(changes) > 0 {
				t.Fatalf("after file %d what is in force is not the last file that was taken: %v", i, changes)
			}
		}
	}
	t.Logf("%d files were taken and %d were not", taken, left)
	if taken < 20 || left < 20 {
		t.Error("that shows nothing")
	}
	<-spoken

	// The phone is gone: its call goes on, and there is none to it any more.
	text := strings.Replace(string(good), `  - {user: "2001", name: Reception, password: `+Password+"}\n", "", 1)
	if !gateway.reads(t, text) {
		t.Fatalf("a file with a phone less is not taken: %s", gateway.process.Tail(3))
	}
	runTalk(t, dir, gateway, Scenario{Name: "uac_404", Number: "2001"})
	if n := gateway.Counters(t).Phones.Bindings; n != 1 {
		t.Errorf("a phone that still talks has %d bindings, want 1: the way to it is kept open", n)
	}
	bob.Hangup(t)
	awaitBindings(t, gateway, 0)
	ada.Quit(t)
	unnoticed := OverG711()
	unnoticed.Gap = 60 * time.Millisecond // a busy machine may skip as much; the packets are counted, below
	Listen(t, "ada", ada.Heard(t)).HearsOnce(t, said, unnoticed)
	bob.Heard(t).HearsOnce(t, woman, unnoticed)
	if a := bob.Media.Account(); a.Missing > 0 {
		t.Errorf("bob has lost sound: %v", a)
	}
}

// mutate breaks a file in one of many ways, or changes it, or leaves it.
func mutate(text string, i int, r *rand.Rand) string {
	lines := strings.SplitAfter(text, "\n")
	at := r.IntN(len(lines))
	switch i % 5 {
	case 0:
		return strings.Replace(text, "limits: {calls: 100}", fmt.Sprintf("limits: {calls: %d}", 50+i), 1)
	case 1:
		return text[:r.IntN(len(text))]
	case 2:
		lines[at] = ""
	case 3:
		return strings.Replace(text, "expires: 2m", fmt.Sprintf("expires: %dm", 3+i), 1) // another trunk, with the same name
	case 4:
		cut := r.IntN(len(text))
		if strings.Contains(text[max(0, cut-30):cut], "password: ") {
			return text // a phone with another password is forgotten
		}
		return text[:cut] + string(rune(' '+r.IntN(90))) + text[cut+1:]
	}
	return strings.Join(lines, "")
}

// replace writes the file as a whole.
func (g *Gateway) replace(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(g.file()+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.file()+".new", g.file()); err != nil {
		t.Fatal(err)
	}
}

// reads has the gateway read a file at once, and reports whether it was taken.
func (g *Gateway) reads(t testing.TB, text string) bool {
	t.Helper()
	g.replace(t, text)
	count := func() (taken, refused int) {
		for _, line := range g.process.Lines() {
			switch {
			case strings.Contains(line, `"configuration read again"`):
				taken++
			case strings.Contains(line, `"the configuration stays as it was"`):
				refused++
			}
		}
		return taken, refused
	}
	took, refused := count()
	if err := syscall.Kill(g.process.PID(), syscall.SIGHUP); err != nil {
		t.Fatalf("SIGHUP to the gateway: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		switch now, no := count(); {
		case now > took:
			return true
		case no > refused:
			return false
		case time.Now().After(deadline):
			t.Fatal("the file was not read within 10 s")
		}
	}
}

// pending asks what reading the file again would change.
func (g *Gateway) pending(t testing.TB) []any {
	t.Helper()
	response, err := http.Get("http://" + g.Desk.String() + "/v1/config/changes")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var told struct {
		Changes []any  `json:"changes"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || told.Error != "" {
		t.Fatalf("what would change: %v %s", err, told.Error)
	}
	return told.Changes
}
