package sip

import "sync"

// dialogs are those that are up, by Call-ID and our tag. The peer's tag, which we do not know from the
// beginning where we call, is checked by the dialog.
type dialogs struct {
	mu   sync.Mutex
	m    map[dialogID]*Dialog
	past endedDialogs
}

type dialogID struct{ callID, localTag string }

func (ds *dialogs) add(d *Dialog) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.m[dialogID{d.callID, d.localTag}] = d
}

func (ds *dialogs) remove(d *Dialog) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	// A call of ours goes to its next target under the same name.
	if id := (dialogID{d.callID, d.localTag}); ds.m[id] == d {
		delete(ds.m, id)
		ds.past.add(id)
	}
}

func (ds *dialogs) find(callID, localTag string) *Dialog {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.m[dialogID{callID, localTag}]
}

func (ds *dialogs) all() []*Dialog {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	all := make([]*Dialog, 0, len(ds.m))
	for _, d := range ds.m {
		all = append(all, d)
	}
	return all
}
