package registrar

import (
	"context"
	"slices"
	"time"
)

// Several gateways know of each other's bindings by a Store. Each binding is one gateway's, whose flow it has; what was
// noted last of a binding is what counts, that it is gone too. While the Store is away each gateway goes on with its own.

// Store is where bindings are noted. Its methods may be called from any goroutine, and return within a fraction of a
// second, with an error or not.
type Store interface {
	// Load returns what is noted of a phone. Bindings of this gateway have no Gateway.
	Load(phone string) ([]Binding, error)
	// Save notes what has changed, each binding unless something later is noted of it.
	Save(phone string, changed []Binding) error
}

// Key tells the bindings of a phone from each other.
func (b Binding) Key() string { return keyOf(b) }

// shared returns what is noted of a phone, nothing where that cannot be had. It is not called with mu held.
func (r *Registrar) shared(phone string) []Binding {
	if r.config.Store == nil {
		return nil
	}
	all, err := r.config.Store.Load(phone)
	if err != nil {
		r.log.Debug("the bindings of other gateways are not known", "phone", r.config.Name(phone), "error", err)
		return nil
	}
	return all
}

// note notes what has changed. It is not called with mu held.
func (r *Registrar) note(phone string, changed []Binding) {
	if r.config.Store == nil || len(changed) == 0 {
		return
	}
	if err := r.config.Store.Save(phone, changed); err != nil {
		r.log.Debug("other gateways are not told of a binding", "phone", r.config.Name(phone), "error", err)
	}
}

// merge returns what is known of a phone: of each binding what was noted last, and of two at once our own.
func merge(own, noted []Binding) []Binding {
	all := slices.Clone(own)
	for _, n := range noted {
		i := slices.IndexFunc(all, func(b Binding) bool { return keyOf(b) == keyOf(n) })
		switch {
		case i < 0:
			all = append(all, n)
		case n.Updated.After(all[i].Updated):
			all[i] = n
		}
	}
	return all
}

// changes returns what is other in all than it was: what is new, and what is gone.
func changes(was, all []Binding, now time.Time) []Binding {
	var changed []Binding
	for _, b := range all {
		if !slices.ContainsFunc(was, func(w Binding) bool { return keyOf(w) == keyOf(b) && w.Updated.Equal(b.Updated) }) {
			changed = append(changed, b)
		}
	}
	for _, w := range was {
		if !slices.ContainsFunc(all, func(b Binding) bool { return keyOf(b) == keyOf(w) }) {
			w.Gone, w.Updated = true, later(now, w)
			changed = append(changed, w)
		}
	}
	return changed
}

// later is now, or where the clock of another gateway is ahead, right after what it has noted.
func later(now time.Time, than Binding) time.Time {
	if now.After(than.Updated) {
		return now
	}
	return than.Updated.Add(1)
}

// tell keeps what has changed for Share to save: whoever has seen it can not wait. Called with mu held.
func (r *Registrar) tell(phone string, changed []Binding) {
	if r.config.Store == nil {
		return
	}
	r.untold[phone] = append(r.untold[phone], changed...)
	select {
	case r.news <- struct{}{}:
	default: // it is known
	}
}

// ShareAll has all bindings of this gateway saved again: the Store has begun anew, or was away. It does not wait.
func (r *Registrar) ShareAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for phone, all := range r.phones {
		r.tell(phone, alive(all, now))
	}
}

// Share saves what connections that were closed took away, and what ShareAll asks for, until ctx is done.
func (r *Registrar) Share(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.news:
		}
		r.mu.Lock()
		untold := r.untold
		r.untold = make(map[string][]Binding)
		r.mu.Unlock()
		for phone, changed := range untold {
			r.note(phone, changed)
		}
	}
}
