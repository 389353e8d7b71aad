package doctor

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// proc is what the kernel tells of this machine, as files below a folder: /proc.
type proc string

// socket is one that is open on this machine.
type socket struct {
	local netip.AddrPort
	inode string
	drops uint64 // datagrams that found no room
}

// process is a program that runs.
type process struct {
	pid  int
	name string
}

func (p process) String() string { return fmt.Sprintf("%s (process %d)", p.name, p.pid) }

// sockets returns those that are bound ("udp") or listen ("tcp").
func (p proc) sockets(network string) []socket {
	var all []socket
	for _, table := range []string{network, network + "6"} {
		file, err := os.Open(filepath.Join(string(p), "net", table))
		if err != nil {
			continue
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if s, state, ok := parseSocket(lines.Text()); ok && (network == "udp" || state == "0A") {
				all = append(all, s)
			}
		}
	}
	return all
}

// parseSocket reads a line of /proc/net/udp and the like.
func parseSocket(line string) (s socket, state string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return s, "", false
	}
	address, port, _ := strings.Cut(f[1], ":")
	raw, err := hex.DecodeString(address)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return s, "", false
	}
	for i := 0; i < len(raw); i += 4 { // each word is in the order of this machine's bytes
		slices.Reverse(raw[i : i+4])
	}
	a, valid := netip.AddrFromSlice(raw)
	if !valid {
		return s, "", false
	}
	s.local, s.inode = netip.AddrPortFrom(a.Unmap(), uint16(n)), f[9]
	if len(f) > 12 {
		s.drops, _ = strconv.ParseUint(f[12], 10, 64)
	}
	return s, f[3], true
}

// holds reports whether a socket keeps others from an address.
func (s socket) holds(a netip.AddrPort) bool {
	if s.local.Port() != a.Port() {
		return false
	}
	mine, theirs := a.Addr(), s.local.Addr()
	return mine == theirs || theirs == netip.IPv6Unspecified() || theirs.IsUnspecified() && theirs.Is4() == mine.Is4() ||
		mine.IsUnspecified() && (mine.Is6() || theirs.Is4())
}

// owners returns whose sockets these are, by inode, as far as this user may know.
func (p proc) owners(sockets []socket) map[string]process {
	wanted := make(map[string]bool)
	for _, s := range sockets {
		wanted["socket:["+s.inode+"]"] = true
	}
	all := make(map[string]process)
	entries, err := os.ReadDir(string(p))
	if err != nil {
		return all
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		folder := filepath.Join(string(p), e.Name(), "fd")
		files, _ := os.ReadDir(folder) // somebody else's are not for us
		for _, f := range files {
			link, _ := os.Readlink(filepath.Join(folder, f.Name()))
			if !wanted[link] {
				continue
			}
			name, _ := os.ReadFile(filepath.Join(string(p), e.Name(), "comm"))
			all[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = process{pid, strings.TrimSpace(string(name))}
		}
	}
	return all
}

// numbers reads a file of numbers, such as sys/net/core/rmem_max; nil if there is none.
func (p proc) numbers(path string) []uint64 {
	text, err := os.ReadFile(filepath.Join(string(p), path))
	if err != nil {
		return nil
	}
	var all []uint64
	for _, word := range strings.Fields(string(text)) {
		if n, err := strconv.ParseUint(word, 10, 64); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// reserved reports whether sys/net/ipv4/ip_local_reserved_ports has all ports from first to last.
func (p proc) reserved(first, last uint16) bool {
	text, _ := os.ReadFile(filepath.Join(string(p), "sys/net/ipv4/ip_local_reserved_ports"))
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		l, err := strconv.Atoi(low)
		h, err2 := strconv.Atoi(high)
		if err == nil && err2 == nil && l <= int(first) && int(last) <= h {
			return true
		}
	}
	return false
}

// files is how many files a process may open; 0 if that is not known.
func (p proc) files(pid string) uint64 {
	text, err := os.ReadFile(filepath.Join(string(p), pid, "limits"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			f := strings.Fields(rest)
			if len(f) > 0 {
				n, _ := strconv.ParseUint(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}
