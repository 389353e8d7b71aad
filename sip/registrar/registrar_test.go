package registrar

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/config/state"
)

func desk(addr string) Flow {
	return Flow{"udp", netip.MustParseAddrPort(addr), netip.MustParseAddrPort("192.0.2.1:5060")}
}

// register is a REGISTER of phone 2001.
func register(cseq uint32, contacts ...string) Register {
	return Register{Phone: "2001", CallID: "call", CSeq: cseq, Contacts: contacts, Direct: true, Flow: desk("192.0.2.7:5060")}
}

const (
	one = "<sip:2001@192.0.2.7:5060>"
	two = "<sip:2001@192.0.2.8:5060>"
)

// TestRegister walks one phone through REGISTERs: what each is answered, and what is bound after it.
func TestRegister(t *testing.T) {
	type step struct {
		q    Register
		code int
		want string // the contacts of the answer
	}
	expires := func(q Register, e string) Register { q.Expires = e; return q }
	other := func(q Register) Register { q.CallID = "other"; return q }
	for _, c := range []struct {
		rule  string
		steps []step
	}{
		{"an hour where nothing is said", []step{{register(1, one), 200, one + ";expires=3600"}}},
		{"the parameter before the header", []step{{expires(register(1, one+";expires=90"), "600"), 200, one + ";expires=90"}}},
		{"the header", []step{{expires(register(1, one), "600"), 200, one + ";expires=600"}}},
		{"no more than two hours", []step{{expires(register(1, one), "999999"), 200, one + ";expires=7200"}}},
		{"no less than a minute", []step{{expires(register(1, one), "59"), 423, ""}, {register(2), 200, ""}}},
		{"what is no number is an hour", []step{{expires(register(1, one), "soon"), 200, one + ";expires=3600"}}},
		{"several contacts, the preferred one first", []step{
			{register(1, one+";q=0.1", two+";q=0.9"), 200, two + ";expires=3600 " + one + ";expires=3600"}}},
		{"asked, nothing changes", []step{{register(1, one), 200, one + ";expires=3600"}, {register(2), 200, one + ";expires=3600"}}},
		{"one leaves", []step{
			{register(1, one, two), 200, one + ";expires=3600 " + two + ";expires=3600"},
			{register(2, one+";expires=0"), 200, two + ";expires=3600"}}},
		{"all leave", []step{
			{register(1, one, two), 200, one + ";expires=3600 " + two + ";expires=3600"},
			{expires(register(2, "*"), "0"), 200, ""}}},
		{"all, but not alone", []step{{expires(register(1, "*", one), "0"), 400, ""}}},
		{"all, but for an hour", []step{{register(1, "*"), 400, ""}}},
		{"an old request", []step{
			{register(5, one), 200, one + ";expires=3600"},
			{register(5, one+";expires=0"), 500, ""},
			{other(register(1, one+";expires=0")), 200, ""}}},
		{"an old request for all", []step{
			{register(5, one), 200, one + ";expires=3600"},
			{expires(register(4, "*"), "0"), 500, ""}}},
		{"all or nothing", []step{
			{register(1, one), 200, one + ";expires=3600"},
			{register(2, two, one+";expires=1"), 423, ""},
			{register(3), 200, one + ";expires=3600"}}},
		{"the same place, written otherwise", []step{
			{register(1, "<sip:2001@HOST.example;line=1>"), 200, "<sip:2001@HOST.example;line=1>;expires=3600"},
			{register(2, "<sip:2001@host.example;line=2>"), 200, "<sip:2001@host.example;line=2>;expires=3600"}}},
		{"no SIP URI", []step{{register(1, "<tel:+33123456789>"), 400, ""}, {register(2, "<"), 400, ""}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := New(Config{})
				for i, s := range c.steps {
					a := r.Register(s.q)
					if a.Code != s.code || strings.Join(a.Contacts, " ") != s.want || (a.Code == 423) != (a.Least == time.Minute) {
						t.Errorf("step %d: got %+v, want %d %s", i, a, s.code, s.want)
					}
				}
			})
		})
	}
}

func TestBindingsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{})
		r.Register(register(1, one+";expires=60", two+";expires=120"))
		if !r.At("2001", netip.MustParseAddr("192.0.2.7")) || r.At("2002", netip.MustParseAddr("192.0.2.7")) {
			t.Error("the phone is not where it is")
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{59 * time.Second, 2}, {time.Second, 1}, {59 * time.Second, 1}, {time.Second, 0}} {
			time.Sleep(c.after)
			if got := len(r.Bindings("2001")); got != c.want || r.Stats().Bindings != c.want {
				t.Errorf("%d bindings, want %d", got, c.want)
			}
		}
	})
}

func TestTooManyBindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{PerPhone: 2})
		for i := range 4 {
			r.Register(register(uint32(i+1), fmt.Sprintf("<sip:2001@192.0.2.%d>", i)))
			time.Sleep(time.Second)
		}
		all := r.Bindings("2001")
		if len(all) != 2 || all[0].Contact != "sip:2001@192.0.2.3" || all[1].Contact != "sip:2001@192.0.2.2" {
			t.Errorf("got %+v, want the two youngest", all)
		}
	})
}

// TestOutbound is RFC 5626 section 6: a device registers over two flows, and one of them changes.
func TestOutbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const device = ";+sip.instance=\"<urn:uuid:1>\";reg-id="
		r := New(Config{})
		send := func(cseq uint32, contact, from string, change func(*Register)) Answer {
			q := register(cseq, contact)
			q.Outbound, q.Flow = true, Flow{"tcp", netip.MustParseAddrPort(from), netip.AddrPort{}}
			if change != nil {
				change(&q)
			}
			time.Sleep(time.Second)
			return r.Register(q)
		}
		if a := send(1, one+device+"1", "192.0.2.7:1001", nil); a.Code != 200 || !a.Outbound ||
			a.Contacts[0] != one+`;+sip.instance="<urn:uuid:1>";reg-id=1;expires=3600` {
			t.Errorf("got %+v", a)
		}
		send(2, one+device+"2", "192.0.2.7:1002", nil)
		send(3, two+device+"1", "192.0.2.7:1003", nil)
		d := r.Devices("2001")
		if len(d) != 1 || len(d[0]) != 2 || d[0][0].Flow.Remote.Port() != 1003 || d[0][1].Flow.Remote.Port() != 1002 {
			t.Errorf("got %+v, want one device with the flow that is new, and the other", d)
		}
		r.Lost(Flow{Network: "tcp", Remote: netip.MustParseAddrPort("192.0.2.7:1003")})
		if d = r.Devices("2001"); len(d) != 1 || len(d[0]) != 1 {
			t.Errorf("got %+v, want the other flow", d)
		}
		for _, c := range []struct {
			rule   string
			change func(*Register)
			code   int
			flow   bool
		}{
			{"a phone that does not say so", func(q *Register) { q.Outbound = false }, 200, false},
			{"a proxy that keeps no flow", func(q *Register) { q.Direct = false; q.Path = []string{"<sip:proxy;lr>"} }, 439, false},
			{"a proxy that does", func(q *Register) { q.Direct = false; q.Path = []string{"<sip:a;lr>, <sip:proxy;lr;ob>"} }, 200, true},
			{"a number that is none", func(q *Register) { q.Contacts = []string{one + device + "0"} }, 400, false},
		} {
			if a := send(10, one+device+"1", "192.0.2.7:1", func(q *Register) { q.CallID = c.rule; c.change(q) }); a.Code != c.code || a.Outbound != c.flow {
				t.Errorf("%s: got %+v", c.rule, a)
			}
		}
	})
}

func TestPath(t *testing.T) {
	r := New(Config{})
	q := register(1, one)
	q.Path = []string{"<sip:p1;lr>,<sip:p2;lr>", "<sip:p3;lr>"}
	if a := r.Register(q); a.Code != 200 || !slices.Equal(a.Path, q.Path) {
		t.Errorf("got %+v", a)
	}
	if got := r.Bindings("2001")[0].Path; !slices.Equal(got, []string{"sip:p1;lr", "sip:p2;lr", "sip:p3;lr"}) {
		t.Errorf("got %q", got)
	}
	q.Path, q.CSeq = []string{strings.Repeat("<sip:p;lr>,", maxPath) + "<sip:p;lr>"}, 2
	if a := r.Register(q); a.Code != 400 {
		t.Errorf("got %+v", a)
	}
}

func TestTranslated(t *testing.T) {
	r := New(Config{})
	q := register(1, one, two)
	r.Register(q)
	if got := r.Translated(); len(got) != 0 {
		t.Errorf("got %v, and there is no NAT", got)
	}
	q.NAT, q.CSeq = true, 2
	r.Register(q)
	if got := r.Translated(); len(got) != 1 || got[0] != q.Flow {
		t.Errorf("got %v, want one flow", got)
	}
}

// TestRestart: bindings are in the file a second after they changed, and are there again.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bindings.json")
	config := Config{File: file, Keep: func(phone string) bool { return phone != "gone" }}
	synctest.Test(t, func(t *testing.T) {
		r := New(config)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		r.Register(register(1, one+";q=0.5", two+";expires=60"))
		gone := register(1, one)
		gone.Phone = "gone"
		r.Register(gone)
		time.Sleep(2 * state.Interval)

		again := New(config)
		if got, want := fmt.Sprint(again.Bindings("2001")), fmt.Sprint(r.Bindings("2001")); len(again.Bindings("2001")) != 2 || len(got) == 0 || len(got) != len(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if len(again.Bindings("gone")) != 0 {
			t.Error("a phone that is no more is there")
		}
		if a := again.Register(register(1, one)); a.Code != 500 {
			t.Errorf("an old REGISTER after the restart: %+v", a)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := New(config).Bindings("2001"); len(got) != 1 {
			t.Errorf("%d bindings, want the one that has not expired", len(got))
		}
	})
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v; want the file alone", left, err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bindings.json")
	for _, text := range []string{"", "{", `{"version":2}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := New(Config{File: file})
		r.Register(register(1, one))
		if err := r.file().Write(r.snapshot()); err != nil || len(New(Config{File: file}).Bindings("2001")) != 1 {
			t.Errorf("%q: %v", text, err)
		}
	}
}
