package bridge

import (
	"container/list"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"passerelle/sip"
)

const (
	// knocksKept bounds the knock list, in addresses.
	knocksKept = 256
	// knockLog is how often a new address is worth a line of the log; a scanner has many.
	knockLog = 10 * time.Second
)

// unknownSource is why sip is silent to those whom no trunk knows.
const unknownSource = "unknown source"

// Knock is an address that was not answered, or whose call was refused.
type Knock struct {
	Address netip.Addr `json:"address"`
	Network string     `json:"network"` // "udp", "tcp", "tls", of the last time
	Why     string     `json:"why"`     // of the last time
	Trunk   string     `json:"trunk"`   // whose it is; "" is nobody's
	Code    int        `json:"code"`    // SIP status of a refusal; 0: there was silence
	Times   int        `json:"times"`
	First   time.Time  `json:"first"`
	Last    time.Time  `json:"last"`
	// Block is what to add to the configuration for this address to be answered; "" where a trunk has it already.
	Block string `json:"block,omitempty"`
}

// Knocks is who was not answered lately: bounded, the latest first. Its methods may be called from any goroutine.
type Knocks struct {
	log   *slog.Logger
	lines *rate.Limiter

	mu     sync.Mutex
	latest *list.List // of *Knock
	byAddr map[netip.Addr]*list.Element
}

// NewKnocks returns an empty list, which tells log of those who are new to it.
func NewKnocks(log *slog.Logger) *Knocks {
	return &Knocks{
		log: log, lines: rate.NewLimiter(rate.Every(knockLog), 3),
		latest: list.New(), byAddr: make(map[netip.Addr]*list.Element),
	}
}

// Unanswered notes what was dropped without a word (sip.Config.Unanswered).
func (k *Knocks) Unanswered(n sip.Knock) {
	if k.add(Knock{Address: n.Source.Addr(), Network: n.Network, Why: n.Why}, time.Now()) && k.lines.Allow() {
		k.log.Info("not answered", "source", n.Source, "network", n.Network, "why", n.Why, "hint", "passerelle knocks shows how to let it in")
	}
}

// refused notes a call that was refused.
func (k *Knocks) refused(c *call, code int, why error) {
	if k == nil {
		return
	}
	n := Knock{Address: c.invite.Source.Addr(), Network: c.invite.Transport, Why: why.Error(), Code: code}
	if c.to.trunk != nil {
		n.Trunk = c.to.trunk.Name
	}
	k.add(n, time.Now())
}

// add notes a knock, and reports whether its address is new.
func (k *Knocks) add(n Knock, now time.Time) (first bool) {
	n.Address = n.Address.Unmap().WithZone("")
	n.Times, n.First, n.Last = 1, now, now
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byAddr[n.Address]; ok {
		before := e.Value.(*Knock)
		n.Times, n.First = before.Times+1, before.First
		*before = n
		k.latest.MoveToFront(e)
		return false
	}
	if k.latest.Len() >= knocksKept {
		oldest := k.latest.Back()
		delete(k.byAddr, oldest.Value.(*Knock).Address)
		k.latest.Remove(oldest)
	}
	kept := n // on the heap only where it is new
	k.byAddr[n.Address] = k.latest.PushFront(&kept)
	return true
}

// List returns all of them, the latest first.
func (k *Knocks) List() []Knock {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]Knock, 0, k.latest.Len())
	for e := k.latest.Front(); e != nil; e = e.Next() {
		n := *e.Value.(*Knock)
		if n.Trunk == "" && (n.Code == 403 || n.Why == unknownSource) {
			n.Block = trunkBlock(n.Address)
		}
		all = append(all, n)
	}
	return all
}

// trunkBlock is the trunk that answers an address, for the configuration.
func trunkBlock(a netip.Addr) string {
	name := "trunk-" + strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(a.String()), "-")
	return fmt.Sprintf("  - {name: %s, accept: {from: [%q]}}", name, a.String())
}
