package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"passerelle/bridge/guess"
	"passerelle/bridge/ivr"
	"passerelle/config"
	"passerelle/rooms"
)

// choose brings the phone into a room, past the menu and the waiting room. What its keys said meanwhile, somebody who
// waits and tries a PIN again, is not for those who are there.
func (c *call) choose(ctx context.Context) error {
	c.alone()
	if c.asks() {
		if err := c.ask(ctx); err != nil {
			return err
		}
	}
	if err := c.knock(ctx); err != nil {
		return err
	}
	if err := c.askName(ctx); err != nil {
		return err
	}
	if err := c.sit(ctx); err != nil {
		return err
	}
	for len(c.keys) > 0 {
		<-c.keys
	}
	return nil
}

// ask finds out from the caller which room it wants, by its PIN, and sets where the call goes. The phone is in a mix of
// its own meanwhile.
func (c *call) ask(ctx context.Context) error {
	menu, reception := c.to.menu, c.rooms().Reception
	if reception == nil {
		return fmt.Errorf("menu %s: engine %s has no rooms with PINs", menu.Name, menu.Engine)
	}
	questions := ivr.Menu{Languages: beginning(menu.Languages, c.speaker.language), Digits: menu.Digits, Tries: menu.Tries}
	visit := c.gateway.Guesses.Visit(c.guesser())
	defer visit.End()
	outcome, err := questions.Run(ctx, &c.speaker, c.gateway.Voices, c.keys, c.to.pin, func(ctx context.Context, pin string) error {
		return c.tryPIN(ctx, visit, reception, pin)
	})
	c.to.pin = "" // nobody needs it any more
	if outcome.Language != "" {
		c.speaker.language = outcome.Language
	}
	if err != nil {
		return fmt.Errorf("menu %s: %w: %w", menu.Name, errTold, err)
	}
	return nil
}

// knock has the phone let into the room, at once or by somebody there, and sets what the room wants its participant to
// carry.
func (c *call) knock(ctx context.Context) (err error) {
	entry := rooms.Entry{Room: c.to.room, Moderator: c.to.moderator}
	c.attributes, err = c.rooms().Reception.Admit(ctx, entry, c.participant().Name, func() {
		c.speaker.say(ivr.Waiting)
		c.speaker.hold()
	})
	c.speaker.resume()
	if err != nil {
		return fmt.Errorf("waiting room of %s: %w", c.to, err)
	}
	c.admitted = c.gateway.Clock()
	return nil
}

// tryPIN looks a PIN up when it is this caller's turn, and sets where the call goes.
func (c *call) tryPIN(ctx context.Context, visit *guess.Visit, reception rooms.Reception, pin string) error {
	right, err := visit.Try(ctx, func(ctx context.Context) (bool, error) {
		entry, err := reception.Find(ctx, pin)
		if errors.Is(err, rooms.ErrNoRoom) {
			return false, nil
		}
		c.to.room, c.to.moderator = entry.Room, entry.Moderator
		return err == nil, err
	})
	if err == nil && !right {
		return ivr.ErrUnknown
	}
	return err
}

// guesser is the caller, for whoever counts wrong PINs.
func (c *call) guesser() guess.Caller {
	who := guess.Caller{
		Trusted: c.to.trunk.Trusted || c.to.phone != nil,
		Trunk:   c.to.trunk.Name, Source: c.invite.Source.Addr(), Number: c.to.caller,
	}
	if strings.Trim(who.Number, "+0123456789") != "" { // a name is anybody's
		who.Number = ""
	}
	return who
}

// alone puts the phone into a mix where nobody else is, to be spoken to.
func (c *call) alone() {
	if c.booth == nil {
		c.booth = c.gateway.Engine.NewMix("booth")
	}
	c.phone.Join(c.booth)
}

// closeBooth gives that mix back; the phone has been asked elsewhere.
func (c *call) closeBooth() {
	if c.booth != nil {
		c.booth.Close()
		c.booth = nil
	}
}

// language is what a caller is spoken to in before it chose: that of the route, of the trunk, the first of the menu, else
// of the first menu of the engine, else English. A menu speaks its own languages only.
func language(live *config.Live, to destination) string {
	said := to.language
	if said == "" && to.trunk != nil {
		said = to.trunk.Language
	}
	switch {
	case to.menu != nil && !slices.Contains(to.menu.Languages, said):
		return to.menu.Languages[0]
	case said != "":
		return said
	}
	for _, m := range live.Menus {
		if m.Engine == to.engine || to.engine == "" {
			return m.Languages[0]
		}
	}
	return "en"
}

// beginning returns languages in their order, round about, so that one of them is the first.
func beginning(languages []string, first string) []string {
	i := max(slices.Index(languages, first), 0)
	return slices.Concat(languages[i:], languages[:i])
}

// firstPIN is the PIN that came with the call: as the route found it, else in the header X-PIN. Blanks and a
// pound key at its end say nothing.
func firstPIN(routed string, header []string) string {
	if routed == "" && len(header) > 0 {
		routed = header[0]
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(routed), ""), "#")
}
