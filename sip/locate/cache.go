package locate

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// minTTL and maxTTL bound what DNS may say about how long it is to be remembered.
	minTTL = 5 * time.Second
	maxTTL = time.Hour
	// maxNothing is how long it is remembered that there is nothing.
	maxNothing = time.Minute
	// staleTime is for how long what has expired may still be used where DNS does not answer.
	staleTime = time.Hour
	// maxAnswers is how many answers are remembered, maxRecords how many records one has.
	maxAnswers = 1024
	maxRecords = 64
)

// question is what DNS is asked.
type question struct {
	name string // in lower case, with the dot at its end
	kind uint16
}

// cache remembers answers.
type cache struct {
	now func() time.Time

	mu sync.Mutex
	m  map[question]answer
}

type answer struct {
	records []dns.RR // not to be changed
	until   time.Time
}

// freshness is what a remembered answer is worth.
type freshness int

const (
	absent freshness = iota
	stale
	fresh
)

func newCache(now func() time.Time) cache {
	if now == nil {
		now = time.Now
	}
	return cache{now: now, m: map[question]answer{}}
}

// get returns what is remembered.
func (c *cache) get(q question) ([]dns.RR, freshness) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.m[q]
	switch now := c.now(); {
	case !ok || now.After(a.until.Add(staleTime)):
		return nil, absent
	case now.After(a.until):
		return a.records, stale
	}
	return a.records, fresh
}

// put remembers an answer. Where there is no space, one that has expired makes it, or any.
func (c *cache) put(q question, records []dns.RR, ttl time.Duration) {
	most := maxTTL
	if len(records) == 0 {
		most = maxNothing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if _, known := c.m[q]; !known && len(c.m) >= maxAnswers {
		c.forget(now)
	}
	c.m[q] = answer{records, now.Add(min(max(ttl, minTTL), most))}
}

// forget makes space for one.
func (c *cache) forget(now time.Time) {
	for q, a := range c.m {
		if now.After(a.until) {
			delete(c.m, q)
		}
	}
	for q := range c.m {
		if len(c.m) < maxAnswers {
			return
		}
		delete(c.m, q)
	}
}
