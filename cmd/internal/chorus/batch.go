package chorus

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call moves.
const batchSize = 64

// socket is a UDP socket that is read and written in batches, by one goroutine, without the runtime's poller:
// nothing wakes up for a packet. The kernel tells when each came.
type socket struct {
	fd   int
	addr netip.AddrPort

	in, out batch
}

// batch is what recvmmsg(2) and sendmmsg(2) take.
type batch struct {
	headers [batchSize]mmsghdr
	names   [batchSize]unix.RawSockaddrInet4
	vectors [batchSize][2]unix.Iovec
	control [batchSize][64]byte
	first   [batchSize][2048]byte // a received packet, or the RTP header of one to send
	n       int                   // waiting to be sent
}

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func openSocket(at netip.AddrPort) (*socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd: fd, addr: at}
	for _, size := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, size, 16<<20) // for root; others have what they have
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open a socket at %s: %w", at, err)
	}
	if name, err := unix.Getsockname(fd); err == nil {
		if in4, ok := name.(*unix.SockaddrInet4); ok {
			s.addr = netip.AddrPortFrom(at.Addr(), uint16(in4.Port))
		}
	}
	for i := range batchSize {
		s.in.vectors[i][0] = unix.Iovec{Base: &s.in.first[i][0], Len: uint64(len(s.in.first[i]))}
		s.in.headers[i].hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&s.in.names[i])), Iov: &s.in.vectors[i][0], Iovlen: 1, Control: &s.in.control[i][0]}
		s.out.headers[i].hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&s.out.names[i])), Namelen: unix.SizeofSockaddrInet4, Iov: &s.out.vectors[i][0], Iovlen: 2}
	}
	return s, nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// datagram is one that has come. Its bytes are valid until the next read.
type datagram struct {
	from  netip.AddrPort
	at    time.Time // when it reached the socket, by the system's clock
	bytes []byte
}

// read gives take all that has come.
func (s *socket) read(take func(datagram)) {
	for {
		for i := range s.in.headers {
			s.in.headers[i].hdr.Namelen = unix.SizeofSockaddrInet4
			s.in.headers[i].hdr.SetControllen(len(s.in.control[i]))
		}
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.in.headers)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return // EAGAIN: that was all
		}
		for i := range int(n) {
			h := &s.in.headers[i]
			at, ok := arrival(s.in.control[i][:h.hdr.Controllen])
			if !ok {
				at = time.Now()
			}
			take(datagram{from: addrPort(&s.in.names[i]), at: at, bytes: s.in.first[i][:h.len]})
		}
		if n < batchSize {
			return
		}
	}
}

// arrival reads when a packet reached the socket (socket(7), SO_TIMESTAMPNS).
func arrival(control []byte) (time.Time, bool) {
	if len(control) < unix.SizeofCmsghdr+16 || binary.NativeEndian.Uint32(control[unix.SizeofCmsghdr-4:]) != unix.SCM_TIMESTAMPNS {
		return time.Time{}, false
	}
	b := control[unix.SizeofCmsghdr:]
	return time.Unix(int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:]))), true
}

// put adds a packet to the batch, which is sent when it is full: a header, which is written into the 12 bytes that
// are returned, and a payload, which must stay as it is until flush. flush returns how many were refused.
func (s *socket) put(to netip.AddrPort, payload []byte) (header []byte, refused int) {
	if s.out.n == batchSize {
		refused = s.flush()
	}
	i := s.out.n
	s.out.n++
	setAddrPort(&s.out.names[i], to)
	s.out.vectors[i][0] = unix.Iovec{Base: &s.out.first[i][0], Len: headerSize}
	s.out.vectors[i][1] = unix.Iovec{Base: &payload[0], Len: uint64(len(payload))}
	return s.out.first[i][:headerSize], refused
}

// flush sends what has been put and returns how many packets the system refused: those are lost.
func (s *socket) flush() (refused int) {
	for at := 0; at < s.out.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.out.headers[at])), uintptr(s.out.n-at), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			refused++
			at++ // the first of the rest is what was refused
		default:
			at += int(n)
		}
	}
	s.out.n = 0
	return refused
}

func addrPort(name *unix.RawSockaddrInet4) netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), binary.BigEndian.Uint16(port[:]))
}

func setAddrPort(name *unix.RawSockaddrInet4, to netip.AddrPort) {
	name.Family, name.Addr = unix.AF_INET, to.Addr().As4()
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	binary.BigEndian.PutUint16(port[:], to.Port())
}
