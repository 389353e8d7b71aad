package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Who has a call for a phone whose flow is another gateway's asks that one to call it. What the INVITE carries proves that
// one of us asks, for which binding of which phone; it is taken once, within proofTime, and by the one that it is for.

// Errand is what a gateway asks of another: to call a phone at one of its bindings.
type Errand struct {
	From    string `json:"from"` // gateways
	To      string `json:"to"`
	Network string `json:"network"`
	Phone   string `json:"phone"`
	Binding string `json:"binding"` // registrar.Binding.Key
	ID      string `json:"id"`      // which no other one has
	Until   int64  `json:"until"`   // Unix time, s
}

// proofTime is how long a proof is good for, and how far clocks may be apart.
const proofTime = 30 * time.Second

// ErrandHeader is the header that carries an Errand and its proof.
const ErrandHeader = "Passerelle-Errand"

// maxErrand bounds its value, in bytes.
const maxErrand = 4096

var (
	errNoErrand = errors.New("no errand of a gateway beside this one")
	errErrand   = errors.New("an errand that is too old, too far ahead, was done already, or is another gateway's")
)

// Send returns where a gateway is asked to call one of its bindings, a URI, and the header's value; false where it is gone.
func (c *Cluster) Send(gateway, network, phone, binding string) (uri, value string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[gateway]
	if !m.alive() || len(m.Places[network]) == 0 {
		return "", "", false
	}
	e := Errand{
		From: c.config.Name, To: gateway, Network: network, Phone: phone, Binding: binding,
		ID: rand.Text(), Until: time.Now().Add(proofTime).Unix(),
	}
	return m.Places[network][0], seal(c.key, e), true
}

// Check reads an errand that is for this gateway, and comes from where another one is; an error is that it is none to
// believe.
func (c *Cluster) Check(ctx context.Context, value string, from netip.Addr) (Errand, error) {
	c.mu.Lock()
	_, err := unseal(c.key, value)
	c.mu.Unlock()
	if err != nil {
		return Errand{}, err
	}
	if !c.Knows(from) { // it may have come a moment ago
		if err := c.beat(ctx); err != nil || !c.Knows(from) {
			return Errand{}, errNoErrand
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := unseal(c.key, value)
	if err != nil {
		return Errand{}, err
	}
	ahead := time.Until(time.Unix(e.Until, 0))
	if _, done := c.spent[e.ID]; done || e.To != c.config.Name || ahead < -proofTime || ahead > 2*proofTime {
		return Errand{}, errErrand
	}
	return e, nil
}

// Do is Check, and takes the errand: it is done once.
func (c *Cluster) Do(ctx context.Context, value string, from netip.Addr) (Errand, error) {
	e, err := c.Check(ctx, value, from)
	if err != nil {
		return Errand{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, done := c.spent[e.ID]; done {
		return Errand{}, errErrand
	}
	now := time.Now()
	for id, until := range c.spent {
		if now.After(until) {
			delete(c.spent, id)
		}
	}
	c.spent[e.ID] = time.Unix(e.Until, 0).Add(2 * proofTime)
	return e, nil
}

// seal writes an errand with its proof.
func seal(key string, e Errand) string {
	record, _ := json.Marshal(e) // it has nothing that cannot be
	text := base64.RawURLEncoding.EncodeToString(record)
	return text + "." + proof(key, text)
}

// unseal reads what seal wrote.
func unseal(key, value string) (e Errand, err error) {
	text, shown, ok := strings.Cut(value, ".")
	if !ok || len(value) > maxErrand || !hmac.Equal([]byte(shown), []byte(proof(key, text))) {
		return Errand{}, errNoErrand
	}
	record, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(record, &e) != nil {
		return Errand{}, errNoErrand
	}
	return e, nil
}

func proof(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte("errand " + text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
