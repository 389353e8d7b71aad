// Package locatetest is a DNS server for tests, on loopback.
package locatetest

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server answers out of a zone. It ends with the test.
type Server struct {
	Addr netip.AddrPort

	mu      sync.Mutex
	records []dns.RR
	asked   []string
	rcode   int
}

// Serve starts a server that knows the records of zone, in the format of a zone file. What it does not know has no
// record, for 10 s.
func Serve(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{}
	s.Set(t, zone)
	// An address of its own: at 127.0.0.1 a port that is free for UDP may be taken for TCP.
	packets, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 53)})
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = netip.MustParseAddrPort(packets.LocalAddr().String())
	streams, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // after the shutdowns below
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: streams, Handler: s}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		running.Go(func() {
			if err := server.ActivateAndServe(); err != nil {
				t.Errorf("DNS server: %v", err)
			}
		})
		<-started
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Errorf("DNS server: %v", err)
			}
		})
	}
	return s
}

// Set gives it another zone.
func (s *Server) Set(t testing.TB, zone string) {
	t.Helper()
	var records []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
}

// Fail makes it answer everything with SERVFAIL, or no longer.
func (s *Server) Fail(fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcode = dns.RcodeSuccess
	if fail {
		s.rcode = dns.RcodeServerFailure
	}
}

// Asked returns the questions so far, such as "SRV _sip._udp.example.org.", and forgets them.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// ServeDNS answers one question. An answer that is too long for UDP says so.
func (s *Server) ServeDNS(w dns.ResponseWriter, ask *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := ask.Question[0]
	s.asked = append(s.asked, dns.TypeToString[q.Qtype]+" "+q.Name)
	res := new(dns.Msg).SetRcode(ask, s.rcode)
	name := q.Name
	for _, rr := range s.records {
		alias, isAlias := rr.(*dns.CNAME)
		switch h := rr.Header(); {
		case !strings.EqualFold(h.Name, name) || s.rcode != dns.RcodeSuccess:
		case h.Rrtype == q.Qtype:
			res.Answer = append(res.Answer, rr)
		case isAlias: // what it stands for comes after it in the zone
			res.Answer, name = append(res.Answer, rr), alias.Target
		}
	}
	if len(res.Answer) == 0 && s.rcode == dns.RcodeSuccess {
		res.Ns = []dns.RR{&dns.SOA{
			Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 10}, Ns: ".", Mbox: ".", Minttl: 10,
		}}
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		res.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(res)
}
