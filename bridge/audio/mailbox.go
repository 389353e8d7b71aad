package audio

import "sync/atomic"

// letter asks a shard to do something between two ticks.
type letter struct {
	do   func(*shard)
	next *letter
}

// mailbox is where any goroutine leaves letters for a shard, without a lock and without waiting.
type mailbox struct {
	last   atomic.Pointer[letter]
	sealed letter // stands in last when the box takes no more
}

// post leaves a letter. It returns false when the shard will not read it any more.
func (b *mailbox) post(do func(*shard)) bool {
	l := &letter{do: do}
	for {
		last := b.last.Load()
		if last == &b.sealed {
			return false
		}
		l.next = last
		if b.last.CompareAndSwap(last, l) {
			return true
		}
	}
}

// empty takes all letters out, the oldest first. Called on the shard.
func (b *mailbox) empty() *letter {
	if b.last.Load() == nil {
		return nil
	}
	return oldestFirst(b.last.Swap(nil))
}

// seal takes all letters out for the last time. Called on the shard.
func (b *mailbox) seal() *letter { return oldestFirst(b.last.Swap(&b.sealed)) }

func oldestFirst(l *letter) *letter {
	var first *letter
	for l != nil {
		l.next, first, l = first, l, l.next
	}
	return first
}
