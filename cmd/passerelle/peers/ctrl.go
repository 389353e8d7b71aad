package peers

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// control speaks to baresip's ctrl_tcp module: JSON objects as netstrings, an answer to each command and
// events in between.
type control struct {
	conn net.Conn
	done chan struct{} // closed when read has ended

	mu      sync.Mutex
	tokens  int // of commands sent
	answers map[string]chan answer
	events  []Event
	more    chan struct{} // closed and replaced when an event comes
}

// Event is what a phone tells about itself: CALL_ESTABLISHED, CALL_CLOSED, CALL_RINGING...
type Event struct {
	Type  string `json:"type"`
	Class string `json:"class"`
	Param string `json:"param"`
	Peer  string `json:"peeruri"`
}

type answer struct {
	OK    bool   `json:"ok"`
	Data  string `json:"data"`
	Token string `json:"token"`
}

func dialControl(address string) (*control, error) {
	conn, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return nil, fmt.Errorf("control a phone: %w", err)
	}
	c := &control{conn: conn, done: make(chan struct{}), answers: map[string]chan answer{}, more: make(chan struct{})}
	go c.read()
	return c, nil
}

func (c *control) close() {
	_ = c.conn.Close()
	<-c.done
}

// read is the goroutine of dialControl; close waits for it.
func (c *control) read() {
	defer close(c.done)
	in := bufio.NewReader(c.conn)
	for {
		body, err := readNetstring(in)
		if err != nil {
			return
		}
		var said struct {
			Event bool `json:"event"`
		}
		if json.Unmarshal(body, &said) != nil {
			continue
		}
		if said.Event {
			c.heard(body)
		} else {
			c.answered(body)
		}
	}
}

func (c *control) heard(body []byte) {
	var e Event
	if json.Unmarshal(body, &e) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
	close(c.more)
	c.more = make(chan struct{})
}

func (c *control) answered(body []byte) {
	var a answer
	if json.Unmarshal(body, &a) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting := c.answers[a.Token]; waiting != nil {
		waiting <- a // buffered, and taken once
		delete(c.answers, a.Token)
	}
}

// do sends one command and returns what the phone says to it.
func (c *control) do(command, params string) (string, error) {
	c.mu.Lock()
	c.tokens++
	token := strconv.Itoa(c.tokens)
	waiting := make(chan answer, 1)
	c.answers[token] = waiting
	c.mu.Unlock()
	body, err := json.Marshal(map[string]string{"command": command, "params": params, "token": token})
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", command, params, err)
	}
	if _, err := fmt.Fprintf(c.conn, "%d:%s,", len(body), body); err != nil {
		return "", fmt.Errorf("%s %s: %w", command, params, err)
	}
	select {
	case a := <-waiting:
		if !a.OK {
			return a.Data, fmt.Errorf("%s %s: the phone refused: %s", command, params, a.Data)
		}
		return a.Data, nil
	case <-c.done:
		return "", fmt.Errorf("%s %s: the phone is gone", command, params)
	case <-time.After(5 * time.Second):
		return "", fmt.Errorf("%s %s: no answer in 5 s", command, params)
	}
}

// count returns how many events there have been.
func (c *control) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

// await waits for an event of the type among those after the first from.
func (c *control) await(kind string, from int, within time.Duration) (Event, error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		events, more := c.events[from:], c.more
		c.mu.Unlock()
		for _, e := range events {
			if e.Type == kind {
				return e, nil
			}
		}
		select {
		case <-more:
		case <-c.done:
			return Event{}, fmt.Errorf("await %s: the phone is gone; it said %v", kind, events)
		case <-deadline.C:
			return Event{}, fmt.Errorf("await %s: not in %v; the phone said %v", kind, within, events)
		}
	}
}

// errNetstring is what a peer that does not speak netstrings gets.
var errNetstring = errors.New("not a netstring")

// readNetstring reads one "LENGTH:BYTES,".
func readNetstring(in *bufio.Reader) ([]byte, error) {
	length, err := in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 0 || n > 1<<20 {
		return nil, errNetstring
	}
	body := make([]byte, n+1)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, err
	}
	if body[n] != ',' {
		return nil, errNetstring
	}
	return body[:n], nil
}
