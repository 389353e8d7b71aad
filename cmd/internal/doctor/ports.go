package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"passerelle/config"
)

// port is one that the gateway takes.
type port struct {
	setting string
	scheme  string // "udp", "tcp", "tls", "ws", "wss", "http"
	addr    netip.AddrPort
}

func (p port) String() string { return p.scheme + "://" + p.addr.String() }

// network is what carries it: "udp" or "tcp".
func (p port) network() string {
	if p.scheme == "udp" {
		return "udp"
	}
	return "tcp"
}

// portsOf are those of a configuration; those that the system chooses are left out.
func portsOf(c *config.Static) []port {
	var all []port
	add := func(setting, scheme string, addr netip.AddrPort) {
		if addr.IsValid() && addr.Port() != 0 {
			all = append(all, port{setting, scheme, addr})
		}
	}
	for i, n := range c.Networks {
		for k, l := range n.Listen {
			add(fmt.Sprintf("networks[%d].listen[%d]", i, k), l.Transport, l.Addr)
		}
	}
	for i, e := range c.Engines {
		if e.Embedded != nil {
			add(fmt.Sprintf("engines[%d].embedded.udp", i), "udp", e.Embedded.UDP)
			add(fmt.Sprintf("engines[%d].embedded.tcp", i), "tcp", e.Embedded.TCP)
		}
	}
	add("http.listen", "http", c.HTTP.Listen)
	if c.Admin != nil {
		add("admin.listen", "http", c.Admin.Listen)
	}
	return all
}

// take takes a port and gives it back.
func (p port) take(ctx context.Context) error {
	var l net.ListenConfig
	network := p.network()
	if p.addr.Addr().Is4() {
		network += "4"
	}
	if p.scheme == "udp" {
		c, err := l.ListenPacket(ctx, network, p.addr.String())
		if err == nil {
			err = c.Close()
		}
		return err
	}
	c, err := l.Listen(ctx, network, p.addr.String())
	if err == nil {
		err = c.Close()
	}
	return err
}

// tenancy is who holds the ports.
type tenancy struct {
	gateway process // pid 0: none that we can see
	held    []port  // by it, or by somebody whose name we may not know
	others  bool    // somebody else holds one
}

// ports looks at every port: free, held by the gateway that runs, or taken. answers says that a gateway runs with this configuration.
func (d *Doctor) ports(ctx context.Context, s *sheet, answers bool) (t tenancy) {
	var free []string
	for _, p := range portsOf(&d.Of.Static) {
		p.setting = d.at("%s", p.setting)
		err := p.take(ctx)
		switch {
		case err == nil:
			free = append(free, p.String())
		case errors.Is(err, syscall.EADDRINUSE):
			d.taken(s, p, answers, &t)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			s.bad("%s is not an address of this machine", p.addr.Addr()).do("put one of its own into %s (ip address shows them)", p.setting)
		case errors.Is(err, syscall.EACCES):
			s.bad("%s may not be listened on by this user: %s", p, reasonOf(err)).do("choose a port above 1023 in %s, or give the program the right to (AmbientCapabilities=CAP_NET_BIND_SERVICE)", p.setting)
		default:
			s.bad("%s cannot be listened on: %s", p, reasonOf(err)).do("look at %s", p.setting)
		}
	}
	if len(free) > 0 {
		s.ok("these ports are free: %s", listed(free))
	}
	var held []string
	for _, p := range t.held {
		held = append(held, p.String())
	}
	switch {
	case len(held) == 0:
	case t.gateway.pid != 0:
		s.ok("these are held by the gateway that runs, %s: %s", t.gateway, listed(held))
	default:
		s.ok("these are held, by the gateway that runs (it answers; root would see its process): %s", listed(held))
	}
	return t
}

// taken says who holds a port.
func (d *Doctor) taken(s *sheet, p port, answers bool, t *tenancy) {
	var holding []socket
	for _, o := range d.system.sockets(p.network()) {
		if o.holds(p.addr) {
			holding = append(holding, o)
		}
	}
	var names []string
	for _, owner := range d.system.owners(holding) {
		if d.ours(owner) {
			t.gateway, t.held = owner, append(t.held, p)
			return
		}
		names = append(names, owner.String())
	}
	slices.Sort(names)
	t.others = true
	switch {
	case len(names) > 0:
		s.bad("%s is taken by %s", p, listed(names)).do("stop that, or choose another port in %s", p.setting)
	case answers: // nobody else can have it
		t.others = false
		t.held = append(t.held, p)
	default:
		s.bad("%s is taken, by a program of somebody else's", p).do("run this as root to see by which (or: ss -lnp), and stop it, or choose another port in %s", p.setting)
	}
}

// ours reports whether a process is a gateway: of the same name as this program, which the kernel cuts after 15 bytes.
func (d *Doctor) ours(p process) bool {
	return p.name == "passerelle" || p.name != "" && p.name == d.Self[:min(len(d.Self), 15)]
}

// media looks at the ports of sound.
func (d *Doctor) media(s *sheet, calls int) {
	sockets := d.system.sockets("udp")
	for i, n := range d.Of.Static.Networks {
		m, setting := n.Media, d.at("networks[%d].media", i)
		if m.First == 0 {
			continue
		}
		pairs := (int(m.Last) - int(m.First) + 1) / 2
		if pairs >= calls { // otherwise the configuration warns
			s.ok("%d-%d is room for the sound of %d calls", m.First, m.Last, pairs)
		}
		if r := d.system.numbers("sys/net/ipv4/ip_local_port_range"); len(r) == 2 && uint64(m.First) <= r[1] && uint64(m.Last) >= r[0] && !d.system.reserved(m.First, m.Last) {
			s.warn("%d-%d is among the ports that any program of this machine is given (%d-%d)", m.First, m.Last, r[0], r[1]).
				do("sysctl -w net.ipv4.ip_local_reserved_ports=%d-%d, and keep it in /etc/sysctl.d; or choose a range below %d in %s", m.First, m.Last, r[0], setting)
		}
		d.neighbours(s, sockets, m, setting)
	}
}

// neighbours tells of others in a range of media ports.
func (d *Doctor) neighbours(s *sheet, sockets []socket, m config.Media, setting string) {
	var within []socket
	for _, o := range sockets {
		if p := o.local.Port(); p >= m.First && p <= m.Last && o.holds(netip.AddrPortFrom(m.Addr, p)) {
			within = append(within, o)
		}
	}
	owners := d.system.owners(within)
	var names []string
	count := 0
	for _, o := range within {
		owner, known := owners[o.inode]
		if d.ours(owner) || !known {
			continue
		}
		count++
		if name := owner.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if count > 0 {
		s.warn("%d of the ports %d-%d are taken by %s", count, m.First, m.Last, listed(names)).do("choose a range of its own in %s: those calls get other ports, as long as there are some", setting)
	}
}

// Sizes that a gateway needs of the kernel.
const (
	lineBuffer  = 128 << 10 // bytes, of a call's socket
	roomsBuffer = 4 << 20   // bytes, of the browsers' one
	filesBeside = 200       // open files beside those of calls
)

// kernel looks at the bounds of the system.
func (d *Doctor) kernel(s *sheet, t tenancy, calls int) {
	pid, whose := "self", "here (a service has its own: LimitNOFILE)"
	if t.gateway.pid != 0 {
		pid, whose = fmt.Sprint(t.gateway.pid), "for the gateway that runs"
	}
	need := uint64(2*calls + filesBeside)
	if most := d.system.files(pid); most > 0 && most < need {
		s.warn("%d files may be open %s; %d calls need %d", most, whose, calls, need).do("LimitNOFILE=%d in the service's unit (ulimit -n in a shell)", 2*need)
	} else if most > 0 {
		s.ok("%d files may be open %s; %d calls need %d", most, whose, calls, need)
	}
	embedded := slices.ContainsFunc(d.Of.Static.Engines, func(e config.Engine) bool { return e.Embedded != nil })
	want := uint64(lineBuffer)
	if embedded {
		want = roomsBuffer
	}
	if most := d.system.numbers("sys/net/core/rmem_max"); len(most) == 1 && most[0] < want {
		s.warn("UDP buffers may have %d kB, and %d kB are wanted: packets are lost where the machine is busy for a moment", most[0]>>10, want>>10).
			do("sysctl -w net.core.rmem_max=%d, and keep it in /etc/sysctl.d", want)
	}
	d.dropped(s, t)
}

// dropped tells of packets that have found no room at the gateway.
func (d *Doctor) dropped(s *sheet, t tenancy) {
	if t.gateway.pid == 0 {
		return
	}
	sockets := d.system.sockets("udp")
	owners := d.system.owners(sockets)
	var lost []string
	for _, o := range sockets {
		if o.drops > 0 && owners[o.inode] == t.gateway {
			lost = append(lost, fmt.Sprintf("%d at %s", o.drops, o.local))
		}
	}
	if len(lost) > 0 {
		s.warn("the kernel has dropped packets of the gateway's, since it had no room for them: %s", strings.Join(lost, ", ")).
			do("see whether the machine is too busy (top), and raise net.core.rmem_max")
	}
}
