package config

import "time"

// engine reads an engine, whose kind is the mapping that it has.
func (b *builder) engine(t *tree) Engine {
	embedded, livekit, meet := t.get("embedded"), t.get("livekit"), t.get("meet")
	switch {
	case embedded == nil && livekit == nil && !b.toldBelow(t.path):
		b.add(t.at, t.path, "its kind is missing: embedded or livekit")
	case embedded != nil && livekit != nil:
		b.add(livekit.at, livekit.path, "there is embedded already; an engine is of one kind")
	case meet != nil && livekit == nil:
		b.add(meet.at, meet.path, "it belongs beside livekit: Meet's meetings are rooms of a LiveKit cluster")
	}
	if t.get("alone_timeout") == nil {
		unset := "off"
		if livekit != nil {
			unset = "10m"
		}
		t.put("alone_timeout", unset)
	}
	return Engine{
		Name:         value(b, t.get("name"), parseName),
		Embedded:     b.embedded(embedded),
		LiveKit:      b.liveKit(livekit),
		Meet:         b.meet(meet),
		AloneTimeout: value(b, t.get("alone_timeout"), parseLimit),
		MaxCall:      value(b, t.get("max_call"), parseLimit),
		Announce:     value(b, t.get("announce"), parseAnnounce),
	}
}

func (b *builder) embedded(t *tree) *Embedded {
	if !t.ok() {
		return nil
	}
	return &Embedded{
		UDP:       value(b, t.get("udp"), b.addresses.parseBind),
		TCP:       value(b, t.get("tcp"), b.addresses.parseBindOrOff),
		PublicURL: value(b, t.get("public_url"), parseURL),
		People:    value(b, t.get("people"), parseNumber(2, 10000)),
	}
}

func (b *builder) liveKit(t *tree) *LiveKit {
	if !t.ok() {
		return nil
	}
	l := &LiveKit{
		URL:    value(b, t.get("url"), parseLiveKitURL),
		Key:    value(b, t.get("api_key"), b.secrets.mustRead),
		Secret: value(b, t.get("api_secret"), b.secrets.mustRead),
		UDP:    value(b, t.get("udp"), b.addresses.parsePorts),
	}
	if travelsInClear(l.URL) {
		at := t.get("url")
		b.warn(at.at, at.path, "it is not encrypted, and tokens travel over it: wss:// or https:// is wanted outside of a private network")
	}
	return l
}

func (b *builder) meet(t *tree) *Meet {
	if !t.ok() {
		return nil
	}
	m := &Meet{
		URL:          value(b, t.get("url"), parseMeetURL),
		RoomkitToken: value(b, t.get("roomkit_token"), b.secrets.read),
		Lobby:        value(b, t.get("lobby"), parseLobby),
		LobbyTimeout: value(b, t.get("lobby_timeout"), parseDuration(10*time.Second, time.Hour)),
	}
	if travelsInClear(m.URL) {
		at := t.get("url")
		b.warn(at.at, at.path, "it is not encrypted, and PINs travel over it: https:// is wanted outside of a private network")
	}
	return m
}
