package peers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// When a connection is reset.
type resetWhen int

// In the order of a call.
const (
	onceInvited resetWhen = iota
	onceAnswered
	onceUp
)

// CallAndReset calls a number over TCP from one address and resets the connection: no BYE, no end in order. Sound goes to media.
func CallAndReset(ctx context.Context, from netip.Addr, target, media netip.AddrPort, number string, when resetWhen) error {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return fmt.Errorf("call and reset: %w", err)
	}
	defer conn.Close() // with a reset, once it is told to
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return errors.New("call and reset: no TCP")
	}
	deadline, _ := ctx.Deadline()
	_ = tcp.SetDeadline(deadline)
	local, id := tcp.LocalAddr(), randomID()
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\n", media.Addr(), media.Port())
	request := func(method, tag, body string) error {
		_, err := fmt.Fprintf(tcp, "%[1]s sip:%[2]s@%[3]s SIP/2.0\r\nVia: SIP/2.0/TCP %[4]s;branch=z9hG4bK%[5]s%[1]s\r\nMax-Forwards: 70\r\n"+
			"From: <sip:reset@%[4]s>;tag=%[5]s\r\nTo: <sip:%[2]s@%[3]s>%[6]s\r\nCall-ID: %[5]s\r\nCSeq: 1 %[1]s\r\n"+
			"Contact: <sip:reset@%[4]s;transport=tcp>\r\nContent-Type: application/sdp\r\nContent-Length: %[7]d\r\n\r\n%[8]s",
			method, number, target, local, id, tag, len(body), body)
		return err
	}
	if err := request("INVITE", "", body); err != nil {
		return fmt.Errorf("call and reset: %w", err)
	}
	if when >= onceAnswered {
		tag, err := answered(bufio.NewReader(tcp))
		if err != nil {
			return fmt.Errorf("call and reset: %w", err)
		}
		if when == onceUp {
			if err := request("ACK", tag, ""); err != nil {
				return fmt.Errorf("call and reset: %w", err)
			}
			time.Sleep(50 * time.Millisecond) // it is to arrive before the reset
		}
	}
	return tcp.SetLinger(0)
}

// answered reads up to the end of the headers of a 200, and returns the tag of its To with what stands before it.
func answered(in *bufio.Reader) (tag string, err error) {
	for status := ""; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "SIP/2.0 "):
			if status = line[len("SIP/2.0 "):]; status >= "3" {
				return "", fmt.Errorf("it is answered %q", line)
			}
		case strings.HasPrefix(line, "To:"):
			if at := strings.Index(line, ";tag="); at >= 0 {
				tag = line[at:]
			}
		case line == "" && strings.HasPrefix(status, "200"):
			return tag, nil
		}
	}
}
