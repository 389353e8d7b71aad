// Package desk is what the running gateway tells of its trunks and its phones: the answers of the admin's desk, for
// those who give them and those who read them. It does not know how they are asked for.
package desk

import (
	"time"

	"passerelle/sip/digest"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// Trunk is one of GET /v1/trunks.
type Trunk struct {
	Name      string `json:"name"`
	Network   string `json:"network"`
	Registers bool   `json:"registers"` // it wants to be registered with
	trunk.Stats
}

// Phones is GET /v1/phones.
type Phones struct {
	Phones []Phone `json:"phones"`
	// Sources are addresses that have shown wrong passwords lately, for whomever.
	Sources []Wrong `json:"sources"`
}

// Phone is one phone of the configuration, or an account that there is not and that somebody tries.
type Phone struct {
	User     string              `json:"user"`
	Name     string              `json:"name,omitempty"`
	Unknown  bool                `json:"unknown,omitempty"` // there is no such phone
	Bindings []registrar.Binding `json:"bindings"`          // where it is, the best place first
	Wrong    []Wrong             `json:"wrong"`             // passwords of the last hour, the latest first
}

// Wrong is wrong passwords.
type Wrong struct {
	From   string    `json:"from"` // an address, or an IPv6 /64; "" is everywhere
	Times  int       `json:"times"`
	Last   time.Time `json:"last"`
	Locked time.Time `json:"locked,omitzero"` // until when; none: it is not locked out
}

// Answer is one of POST /v1/phones/USER/options: what a phone says where it is.
type Answer struct {
	Contact string         `json:"contact"`
	Flow    registrar.Flow `json:"flow"`
	Code    int            `json:"code,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Error   string         `json:"error,omitempty"` // why there is no answer
	Took    time.Duration  `json:"took_ns"`
}

// With adds the wrong passwords to the phones.
func (p *Phones) With(suspects []digest.Suspect) {
	at := make(map[string]int)
	for i, phone := range p.Phones {
		at[phone.User] = i
	}
	for _, s := range suspects {
		w := Wrong{Times: s.Wrong, Last: s.Last, Locked: s.Locked}
		if s.From.IsValid() {
			w.From = s.From.String()
			if s.From.IsSingleIP() {
				w.From = s.From.Addr().String()
			}
		}
		if s.User == "" {
			p.Sources = append(p.Sources, w)
			continue
		}
		i, known := at[s.User]
		if !known {
			i = len(p.Phones)
			at[s.User] = i
			p.Phones = append(p.Phones, Phone{User: s.User, Unknown: true})
		}
		p.Phones[i].Wrong = append(p.Phones[i].Wrong, w)
	}
}
