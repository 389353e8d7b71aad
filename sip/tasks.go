package sip

import "sync"

// tasks counts goroutines, until nobody may begin one any more.
type tasks struct {
	mu     sync.Mutex
	closed bool
	count  sync.WaitGroup
}

// enter counts the calling goroutine in; false if it came too late.
func (t *tasks) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.count.Add(1)
	}
	return !t.closed
}

func (t *tasks) leave() { t.count.Done() }

// close lets nobody in any more.
func (t *tasks) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// wait returns when everybody has left.
func (t *tasks) wait() { t.count.Wait() }
