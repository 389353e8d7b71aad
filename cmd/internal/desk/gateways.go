package desk

import "time"

// Gateways is GET /v1/gateways: how several gateways are together, as one of them knows.
type Gateways struct {
	Name     string            `json:"name"` // of the one that tells
	Redis    Redis             `json:"redis"`
	Gateways []Gateway         `json:"gateways"`        // all of them, by name
	Turns    map[string]string `json:"turns,omitempty"` // who registers with each trunk
}

// Redis is whether it answers.
type Redis struct {
	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"` // if it does not
}

// Gateway is one of them.
type Gateway struct {
	Name   string              `json:"name"`
	Alive  bool                `json:"alive"`
	Ago    float64             `json:"ago"` // seconds since it said so last
	Places map[string][]string `json:"places"`
}
