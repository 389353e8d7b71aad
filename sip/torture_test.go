package sip

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// tortureFiles returns the messages of RFC 4475, which are not part of the project.
func tortureFiles(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("PASSERELLE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "torture", "rfc4475", "*.dat"))
	if len(files) == 0 {
		t.Skip("the torture messages of RFC 4475 are not here; PASSERELLE_SHARED names the folder that has them")
	}
	return files
}

// TestTorture sends each of them while a call is up. Whatever the answer: the server lives, and so does the call.
func TestTorture(t *testing.T) {
	files := tortureFiles(t)
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			if len(d.Invite().Header("X-Stay")) == 0 {
				d.Reject(ctx, Refusal{Code: 404})
				return
			}
			d.Answer(ctx, []byte(testSDP))
			<-ctx.Done()
			ends <- context.Cause(ctx)
		})
		p := s.peer(network, "")
		p.send(p.request("INVITE", "est", 1, "", testSDP, "X-Stay: yes"))
		tag := p.expect(200).toTag()
		p.send(p.request("ACK", "estack", 1, tag, ""))
		seq := 1
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				torturer := s.peer(network, "")
				torturer.conn.Write(data)
				if m, err := torturer.read(testT1); err == nil {
					t.Logf("answered %q", m.start)
				} else if errors.Is(err, io.EOF) {
					t.Log("connection closed")
				}
				seq++
				p.t = t
				p.send(p.request("OPTIONS", newTag(), seq, tag, ""))
				p.expect(200)
			})
		}
		p.t = t
		p.send(p.request("BYE", "bye", seq+1, tag, ""))
		p.expect(200)
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("the call ended with %v, want %v", err, ErrBye)
		}
	})
}

// tortureClasses are what RFC 4475 wants of each message, from one who takes calls, as the statuses that say it; none
// is silence. A request that is fine is answered as any other of its kind: a call by the handler (404), OPTIONS
// by 200, what is not done here by 405 or 501.
func tortureClasses() map[string][]int {
	call, options, undone, bad, silence := []int{404}, []int{200}, []int{405}, []int{400}, []int{0}
	return map[string][]int{
		// 3.1.1: fine.
		"wsinv": call, "intmeth": {501}, "esc01": call, "escnull": undone, "esc02": {501, 405}, "lwsdisp": options, "longreq": call,
		"dblreq": undone, "semiuri": options, "transports": options, "mpart01": undone, "unreason": silence, "noreason": silence,
		// 3.1.2: not.
		"badinv01": bad, "clerr": bad, "ncl": bad, "scalar02": bad, "scalarlg": silence, "quotbal": bad, "ltgtruri": bad, "lwsruri": bad,
		"lwsstart": bad, "trws": bad, "escruri": bad, "baddate": {400, 404}, "regbadct": {400, 405}, "badaspec": bad, "baddn": {400, 200},
		"badvers": {505}, "mismatch01": bad, "mismatch02": {400, 501}, "bigcode": silence,
		// 3.2 to 3.4.
		"badbranch": {200, 400}, "insuf": bad, "unkscm": {416}, "novelsc": {416}, "unksm2": undone, "bext01": {420}, "invut": {415},
		"regaut01": undone, "multi01": bad, "mcl01": bad, "bcast": silence, "zeromf": {200, 483}, "cparam01": undone, "cparam02": undone,
		"regescrt": undone, "sdp01": {406}, "inv2543": call,
	}
}

// tortureMisses are the messages that are answered otherwise, and why: docs/interop.md tells.
func tortureMisses() map[string]int {
	return map[string]int{"wsinv": 400, "inv2543": 400, "sdp01": 404}
}

// note is a responder that remembers the last status.
type note struct{ code chan int }

func (n note) Respond(res *sip.Response) error { n.code <- res.StatusCode; return nil }
func (n note) Terminate()                      {}

// TestTortureClasses holds the answers to RFC 4475, as to packets over UDP.
func TestTortureClasses(t *testing.T) {
	files := tortureFiles(t)
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) { d.Reject(ctx, Refusal{Code: 404}) })
	<-s.serving
	src := netip.MustParseAddrPort("127.0.0.1:5060")
	answer := func(data []byte) int {
		v := s.guard.judge(packet{src: src, network: "udp", data: data}, time.Now())
		if !v.pass {
			code, _ := strconv.Atoi(string(append(v.reply, "SIP/2.0 000"...)[8:11]))
			return code
		}
		msg, err := s.guard.parse(packet{src: src, network: "udp", data: data})
		if err != nil {
			t.Fatal(err)
		}
		req, ok := msg.(*sip.Request)
		if !ok || req.IsAck() {
			return 0
		}
		req.SetTransport("UDP")
		req.SetSource(src.String())
		n := note{make(chan int, 4)}
		s.dispatch(inbound{req: req, tx: n, from: origin{src: src, local: s.addr("udp"), network: "udp"}, watch: func(func(string)) {}, tag: "t"})
		return wait(t, n.code)
	}
	right, classes := 0, tortureClasses()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		want := classes[name]
		if want == nil {
			continue // none of the RFC's
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := answer(data)
		miss, missed := tortureMisses()[name]
		switch {
		case slices.Contains(want, got):
			right++
			if missed {
				t.Errorf("%s is answered %d, as it should be: no miss any more", name, got)
			}
		case !missed || got != miss:
			t.Errorf("%s is answered %d, want %v", name, got, want)
		}
	}
	t.Logf("%d of %d", right, len(classes))
	if right < 45 {
		t.Errorf("%d right, want at least 45", right)
	}
}
