package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"passerelle/config"
	"passerelle/sip/digest"
	"passerelle/sip/registrar"
)

// fileTime is how often the configuration file is looked at. It is read once it has stayed the same for that long: whoever
// writes it may not be done.
const fileTime = time.Second

// rules are what is in force, as one: what was read, and what was made of it.
type rules struct {
	*config.Config
	realm *digest.Realm // whom proofs are taken of
	lines []*line       // the trunks that we reach out to
}

// put puts a configuration into force.
func (h *house) put(next *config.Config) {
	was := h.inForce.Load()
	now := &rules{Config: next, realm: realm(&next.Live), lines: h.reachOut(next.Live.Trunks, was.lines)}
	h.inForce.Store(now)
	h.lines.change(now.lines)
	h.registered(was.realm, now.realm)
}

// registered forgets the bindings of phones that have another password now, and what was guessed at them. Phones that are gone are called no more, and forgotten when they have ended
// their calls: until then the way to them is kept open.
func (h *house) registered(was, now *digest.Realm) {
	renewed := make(map[string]bool)
	for user, account := range was.Accounts {
		if a, there := now.Accounts[user]; !there || !a.Equal(account) {
			renewed[user] = there
			h.proofs.Forgive(user)
		}
	}
	h.desks.Retain(func(phone string, _ registrar.Binding) bool { return !renewed[phone] })
	h.leaving = h.stillTalk()
}

// lookAfterThoseWhoLeave forgets phones that are gone, once they have ended their calls.
func (h *house) lookAfterThoseWhoLeave() {
	h.adopts.Lock()
	defer h.adopts.Unlock()
	if h.leaving {
		h.leaving = h.stillTalk()
	}
}

// stillTalk forgets phones that are gone, and reports whether there are some that still talk.
func (h *house) stillTalk() (some bool) {
	live := h.live()
	h.desks.Retain(func(phone string, b registrar.Binding) bool {
		there := isPhone(live, "", phone)
		talks := !there && h.gateway.Talks(b.Flow.Remote.Addr())
		some = some || talks
		return there || talks
	})
	return some
}

// live is what is in force and may change while calls are up. Who needs several of its values takes it once.
func (h *house) live() *config.Live { return &h.inForce.Load().Live }

// follow reads the configuration again when its file changes, and when it is told to, until ctx is done.
func (h *house) follow(ctx context.Context) {
	tick := time.NewTicker(fileTime)
	defer tick.Stop()
	file := h.inForce.Load().File
	read := h.read
	seen := read
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.again:
			seen = stamp(file)
		case <-tick.C:
			h.lookAfterThoseWhoLeave()
			now := stamp(file)
			if now != seen || now == read || now == "" {
				seen = now
				continue
			}
		}
		read = seen
		h.reload()
	}
}

// stamp tells one state of a file from another; "" where it is not there.
func stamp(file string) string {
	if file == "" {
		return ""
	}
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size())
}

// reload puts the configuration into force as it is now, all of it or nothing, and logs what has changed. Calls keep what
// they began with.
func (h *house) reload() {
	changes, err := h.adopt()
	if err != nil {
		h.log.Error("the configuration stays as it was", "error", err)
		return
	}
	h.log.Info("configuration read again", "changes", len(changes))
	for _, c := range changes {
		h.log.Info("configuration: " + c.String())
	}
}

// adopt loads the configuration and swaps it in.
func (h *house) adopt() ([]config.Change, error) {
	h.adopts.Lock()
	defer h.adopts.Unlock()
	next, changes, err := h.next()
	if err != nil {
		return nil, err
	}
	if late := restarts(changes); len(late) > 0 {
		return nil, fmt.Errorf("nothing was changed: a restart is needed for %s", strings.Join(late, ", "))
	}
	h.put(next)
	for _, e := range h.engines {
		if e.sfu != nil {
			e.sfu.Rename(named(&next.Live, e.name), next.Live.AnyRoom)
		}
	}
	if h.level != nil {
		h.level.Set(next.Live.Log.Level)
	}
	for _, warning := range next.Warnings {
		h.log.Warn("configuration: " + warning.String())
	}
	return changes, nil
}

// next loads the configuration, and compares it with what is in force.
func (h *house) next() (*config.Config, []config.Change, error) {
	next, err := config.Load(h.source)
	if err != nil {
		return nil, nil, err
	}
	return next, h.inForce.Load().Changes(next), nil
}

// restarts names the settings that take a restart.
func restarts(changes []config.Change) []string {
	var names []string
	for _, c := range changes {
		if c.Restart {
			names = append(names, c.Path)
		}
	}
	return names
}
