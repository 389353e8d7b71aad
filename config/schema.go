package config

// schema is the whole file. Every key that DESIGN gives a gateway is here; those marked later are refused by name
// until they are built.
func schema() *setting {
	return &setting{is: mapping, keys: []setting{
		{key: "version", values: "1", bare: true, required: true, doc: "The version of this format."},
		{key: "networks", is: mappings, unset: "[{name: voice}]", keys: networkSettings(),
			doc: "Where telephony lives. A call that comes in on one is answered on that one: its sound, its addresses and its certificate are that one's. Trunks are known on theirs only."},
		{key: "engines", is: mappings, unset: "[{name: house, embedded: {}}]", keys: engineSettings(),
			doc: "Where rooms live: one embedded at most, and any number of LiveKit clusters."},
		{key: "trunks", is: mappings, unset: "[]", keys: trunkSettings(),
			doc: "SIP peers that are not phones of ours: a PBX, an operator. With a file, only these are answered; everybody else gets silence."},
		{key: "phones", is: mappings, unset: "[]", keys: phoneSettings(),
			doc: "Desk phones and room systems that register ([phones.md](phones.md))."},
		{key: "registrar", is: mapping, unset: "{}", doc: "How phones register.", keys: registrarSettings()},
		{key: "menus", is: mappings, unset: "[]", keys: menuSettings(),
			doc: "Voices that ask callers for the PIN of a meeting."},
		{key: "rooms", is: mappings, unset: "[]", keys: roomSettings(),
			doc: "Embedded rooms with a name and properties of their own."},
		{key: "routes", is: mappings, unset: "[]", keys: routeSettings(),
			doc: "Where calls go. The first that matches wins; a call that none takes is answered 404."},
		{key: "emergency", is: mapping, means: "the numbers of each trunk's plan", doc: "Calls for help ([routes.md](routes.md)).", keys: []setting{
			{key: "numbers", values: "country, as FR", required: true,
				doc: "Whose emergency numbers are looked for, at every trunk and from phones."},
			{key: "via", values: "name of a trunk, or announce", means: "announce",
				doc: "Where calls for help of phones and of trusted trunks go, as the phone's own number or the trunk's numbers.present. announce: the caller is told to dial from another telephone."},
		}},
		{key: "http", is: mapping, unset: "{}", keys: httpSettings(), doc: "The page where browsers join."},
		{key: "admin", is: mapping, means: "nobody is told", doc: "What programs and the commands of passerelle ask the running gateway ([admin.md](admin.md)).", keys: []setting{
			{key: "listen", values: "address:port", unset: "127.0.0.1:8081", doc: "Where it is asked, over plain HTTP."},
			{key: "token", values: "text, file:PATH or env:NAME", secret: true, means: "this machine may ask",
				doc: "What whoever asks has to show (Authorization: Bearer). Wanted where listen is not an address of this machine alone."},
		}},
		{key: "sound", is: mapping, unset: "{}", doc: "What is done to the sound.", keys: []setting{
			{key: "gain", values: "on or off", unset: "on", bare: true,
				doc: "Whether callers' voices are brought to one level, by -6 to +12 dB."},
			{key: "gate", values: "on or off", unset: "on", bare: true,
				doc: "Whether noise and silence of callers are kept from the room. Off, everything is sent: music, machines, the hum of a line."},
			{key: "limiter", values: "on or off", unset: "on", bare: true,
				doc: "Whether what phones hear is turned down where it would be clipped."},
		}},
		voicesSetting(),
		keysSetting("What callers press during a call ([menu.md](menu.md)).", ""),
		{key: "limits", is: mapping, unset: "{}", doc: "Bounds of the whole gateway.", keys: []setting{
			{key: "calls", values: "number, 1 to 100000", unset: "1000", bare: true, override: true,
				doc: "Calls at once; one more is answered 503 with Retry-After."},
			{key: "guesses_a_minute", values: "number, 1 to 1000", unset: "20", bare: true,
				doc: "Wrong PINs that are tried, in all, and beside that from each trusted trunk and from phones. Others wait for their turn; right ones cost nothing ([menu.md](menu.md))."},
		}},
		{key: "drain", values: "duration, 0s to 24h", unset: "10m", override: true,
			doc: "How long calls that are up may go on after SIGTERM. New calls are answered 503 meanwhile; a second signal ends the wait."},
		{key: "log", is: mapping, unset: "{}", doc: "What is logged.", keys: []setting{
			{key: "level", values: "debug, info, warn or error", unset: "info", override: true,
				doc: "The least that is worth a line. No level writes secrets or whole phone numbers."},
		}},
		{key: "state", is: mapping, means: "nothing survives", doc: "What survives a restart.", keys: []setting{
			{key: "dir", values: "path of a folder", means: "after a restart phones register anew, minutes of calls out begin at 0, and whoever guessed PINs is forgiven",
				doc: "Where it is kept; a relative path begins at the configuration file."},
			{key: "redis", is: mapping, means: "this gateway is alone", doc: "Where several gateways know of each other ([several-gateways.md](several-gateways.md)).", keys: []setting{
				{key: "url", values: "redis:// or rediss:// URL", required: true, secret: true,
					doc: "Where the Redis is, with a user and the number of a database where they are wanted: rediss://user@redis.example.org:6379/1."},
				{key: "password", values: "text, file:PATH or env:NAME", secret: true, means: "none", doc: "Its password."},
				{key: "prefix", values: "text", unset: `"passerelle:"`, doc: "What all keys begin with: gateways with the same one are together."},
				{key: "name", values: "name", means: "host name and first address of SIP", doc: "What the others call this gateway. No other one has it."},
			}},
		}},
		outgoingSetting(),
		{key: "metrics", later: true},
	}}
}

func networkSettings() []setting {
	return []setting{
		{key: "name", values: "name", required: true, doc: "What trunks call this network."},
		{key: "listen", is: scalars, values: "udp://, tcp://, tls://, ws:// or wss:// with address:port", unset: `["udp://:5060", "tcp://:5060"]`,
			doc: "Where SIP is listened for. Without an address: all of this machine's, IPv4 and IPv6. Port 0 takes a free one."},
		{key: "advertise", values: "auto, an address or a host name", unset: "auto",
			doc: "What peers are told to send to, in SIP and in SDP, where it is not the address that they reach (NAT)."},
		{key: "media", values: "address:first-last or first-last", unset: "20000-23999",
			means: "20000-23999, 2000 calls",
			doc:   "UDP ports for sound, two a call, inclusive. Without an address: that of the first listen. 0-0 leaves the ports to the system."},
		{key: "dns", is: scalars, lone: true, values: "address or address:port", means: "those of this machine",
			doc: "DNS servers that are asked where to call."},
		{key: "tls", is: mapping, means: "no TLS", doc: "What tls:// and wss:// listeners show ([encryption.md](encryption.md)).", keys: []setting{
			{key: "cert", values: "file:PATH", required: true, doc: "The certificate and its chain, PEM. Read again when the file changes."},
			{key: "key", values: "file:PATH", required: true, secret: true, doc: "Its private key, PEM."},
			{key: "profile", values: "default or anssi", unset: "default",
				doc: "anssi: the keys of SRTP are taken over TLS only; where they come in clear the sound is in clear too, or the call is refused."},
		}},
		{key: "origins", is: scalars, values: "https:// or http:// URL, or *", means: "pages of the same host",
			doc: "Whose pages may call over ws:// and wss://, such as https://phone.example.org; * is everybody's."},
	}
}

func engineSettings() []setting {
	return []setting{
		{key: "name", values: "name", required: true, doc: "What menus, rooms and routes call this engine."},
		{key: "embedded", is: mapping, doc: "Rooms in this process, with a page of their own.", keys: []setting{
			{key: "udp", values: "port or address:port", unset: "7882", bare: true,
				doc: "The one UDP port of all browsers' sound. Without an address: all of this machine's."},
			{key: "tcp", values: "port, address:port or off", unset: "7882", bare: true,
				doc: "The TCP port for browsers whose network lets no UDP through."},
			{key: "public_url", values: "http:// or https:// URL", means: "http.public_url",
				doc: "Where browsers find the page of these rooms; others are refused its WebSocket."},
			{key: "people", values: "number, 2 to 10000", unset: "200", bare: true,
				doc: "How many may be in one room at once, phones included; the next is told that it is full."},
		}},
		{key: "livekit", is: mapping, doc: "Rooms of a LiveKit cluster ([livekit.md](livekit.md)).", keys: []setting{
			{key: "url", values: "wss://, ws://, https:// or http:// URL", required: true,
				doc: "Where the cluster is, such as wss://livekit.example.org; a path is a prefix of LiveKit's own."},
			{key: "api_key", values: "text, file:PATH or env:NAME", required: true, secret: true, doc: "The API key."},
			{key: "api_secret", values: "text, file:PATH or env:NAME", required: true, secret: true, doc: "The secret of that key."},
			{key: "udp", values: "first-last or address:first-last", unset: "0", bare: true, means: "0, free ports",
				doc: "The local UDP ports of this engine's sound: one a call, and one a room, at each address. Without an address: all of this machine's."},
		}},
		{key: "meet", is: mapping, doc: "The Visio (La Suite Meet) whose meetings are rooms of this LiveKit.", keys: []setting{
			{key: "url", values: "https:// or http:// URL", required: true, doc: "Where Meet is, without a path."},
			{key: "roomkit_token", values: "text, file:PATH or env:NAME", secret: true, means: "only meetings that somebody is in are found",
				doc: "Meet's token for room hardware: with it a PIN opens a meeting before anybody is there."},
			{key: "lobby", values: "if-meet-asks or never", unset: "if-meet-asks",
				doc: "Whether phones knock where a meeting has a waiting room."},
			{key: "lobby_timeout", values: "duration, 10s to 1h", unset: "10m", doc: "How long a phone that knocks waits to be let in."},
			{key: "guesses_a_minute", later: true, moved: "limits.guesses_a_minute"},
		}},
		{key: "alone_timeout", values: "duration, 1s to 24h, or off", means: "10m with livekit, off with embedded",
			doc: "How long a call may be in a room where nobody else is; then it is told so and ended."},
		{key: "announce", values: "tone, name or none", unset: "tone",
			doc: "How the phones in a room are told who comes and goes: by two notes, by the names that callers of a menu are asked to say, or not at all ([menu.md](menu.md#who-comes-and-goes))."},
		{key: "max_call", values: "duration, 1s to 24h, or off", unset: "12h", doc: "How long a call may last from its answer; then it is told so and ended."},
		{key: "whip", later: true},
	}
}

func menuSettings() []setting {
	return []setting{
		{key: "name", values: "name", required: true, doc: "What routes call this menu."},
		{key: "engine", values: "name of an engine", means: "the only one with livekit, else the embedded one",
			doc: "Where the meetings are: PINs of LiveKit's come from Meet, those of embedded rooms are rooms[].pin."},
		{key: "languages", is: scalars, values: "fr, en, or another of voices.dir", unset: "[fr, en]", doc: "What it speaks. It begins with the first, unless the route or the trunk says another; callers can choose the others."},
		{key: "pin", is: mapping, unset: "{}", doc: "What it asks for.", keys: []setting{
			{key: "digits", values: "number, 4 to 20, or any", bare: true, means: "10 with livekit; with embedded what all PINs there have, else any",
				doc: "How many digits a PIN has; any waits for # or for four seconds of silence."},
			{key: "tries", values: "number, 1 to 10", unset: "3", bare: true, doc: "PINs that a call may try."},
		}},
		{key: "before_host", values: "wait or enter", unset: "wait",
			doc: "What callers hear where nobody else is in the meeting yet: music until somebody comes (wait), or the silent meeting (enter)."},
		keysSetting("What its callers press during a call.", "as of the trunk"),
	}
}

func trunkSettings() []setting {
	return []setting{
		{key: "name", values: "name", required: true, doc: "What routes and the log call this trunk."},
		{key: "network", values: "name of a network", means: "the only one", doc: "Where it is."},
		{key: "preset", values: listed(presetNames()), means: "none",
			doc: "What it is. It stands for settings below that are not said ([trunks](trunks/README.md))."},
		{key: "servers", is: scalars, lone: true, values: "host, host:port or sip: URI", means: "nothing is sent to it",
			doc: "Where we send, the first that works: sip.example.org, 192.0.2.1:5080, or sip:sip.example.org;transport=tls. They may call us as well: their addresses are the trunk's ([trunks.md](trunks.md))."},
		{key: "register", is: mapping, means: "none", doc: "Where the trunk wants us to register, and to prove who we are.", keys: []setting{
			{key: "user", values: "text", required: true, doc: "Whom we register, the user part of the address."},
			{key: "password", values: "text, file:PATH or env:NAME", required: true, secret: true, doc: "Its password. It is proved, never sent, and to this trunk only."},
			{key: "login", values: "text", means: "user", doc: "The name that goes with the password, where it is another."},
			{key: "domain", values: "host name or address", means: "the server's", doc: "The host part of the address."},
			{key: "expires", values: "duration, 1m to 24h", unset: "1h", doc: "How long a registration is asked for; it is refreshed before it ends."},
		}},
		{key: "health", values: "duration, 5s to 1h, or off", means: "30s, where there are servers", doc: "How often OPTIONS asks whether a server is there."},
		{key: "accept", is: mapping, means: "known by servers", doc: "How we know it: by from, or by certificate.", keys: []setting{
			{key: "from", is: scalars, values: "address or CIDR", means: "any address, where there is certificate",
				doc: "Who may call us. An address in two trunks belongs to the longer prefix. Beside certificate: from where it may be shown."},
			{key: "certificate", is: mapping, means: "known by from",
				doc: "The trunk is known by the certificate that it shows, over tls:// only.", keys: []setting{
					{key: "name", values: "host name", required: true, doc: "The host that the certificate is for."},
					{key: "ca", values: "file:PATH", required: true, doc: "Whose signature it must have, PEM: authorities, or the certificate itself."},
				}},
			{key: "digest", is: mapping, means: "its address is enough", doc: "What it must prove with every call, beside from.", keys: []setting{
				{key: "user", values: "text", required: true, doc: "Its name; no phone has the same."},
				{key: "password", values: "text, file:PATH or env:NAME", required: true, secret: true, doc: "Its password."},
			}},
		}},
		{key: "trusted", values: "true or false", unset: "false", bare: true,
			doc: "What its network says of callers is believed (P-Asserted-Identity, Remote-Party-ID, Diversion, History-Info), and routes without from take its calls."},
		{key: "codecs", is: scalars, values: "G722, opus, PCMA or PCMU", unset: "[G722, opus, PCMA, PCMU]",
			doc: "What may be spoken, the best first."},
		{key: "gain", values: "on or off", bare: true, means: "sound.gain", doc: "Whether its callers' voices are brought to one level."},
		{key: "gate", values: "on or off", bare: true, means: "sound.gate", doc: "Whether its callers' noise and silence are kept from the room."},
		{key: "limits", is: mapping, unset: "{}", doc: "Bounds of this trunk.", keys: []setting{
			{key: "calls", values: "number, 0 to 100000", unset: "0", bare: true, means: "0, no limit but the gateway's", doc: "Calls at once."},
			{key: "outgoing", is: mapping, means: "none of its own", doc: "Bounds of calls out over this trunk, beside outgoing.limits.", keys: callLimitSettings("", "", "")},
		}},
		{key: "srtp", is: scalars, lone: true, values: "off, optional, required, sdes, dtls or a crypto-suite", unset: "[optional]",
			doc: "Whether sound is encrypted with SRTP: where the peer can (optional), or else the call is refused (required). Suites are taken in this order; without off, optional or required they are required. Keys come in the SDP (sdes) or in a handshake (dtls), or as the peer wants."},
		{key: "tls", is: mapping, means: "as with everybody", doc: "TLS with old devices.", keys: []setting{
			{key: "suites", is: scalars, lone: true, values: "name of a suite of TLS 1.2", required: true,
				doc: "Weaker suites that its addresses may speak too, such as TLS_RSA_WITH_AES_128_GCM_SHA256; each is warned of, and none goes with profile: anssi ([encryption.md](encryption.md))."},
		}},
		{key: "dtmf", values: "auto, inband or off", unset: "auto",
			doc: "Whether keys are looked for in the sound too: where a caller can send them neither as events nor in INFO (auto), in every call, or never."},
		{key: "language", values: "fr, en, or another of voices.dir", means: "as of the menu", doc: "What its callers are spoken to in, unless the route says another."},
		keysSetting("What its callers press during a call.", "as of all callers"),
		numbersSetting(),
		{key: "transfer", is: scalars, lone: true, values: "refuse, allow, name of a trunk, host name, address or CIDR", unset: "[refuse]",
			doc: "Whether its calls may be transferred (REFER), or take the place of others (Replaces). allow: to rooms that its routes lead to, and to the addresses that it calls from; others are named ([transfer.md](transfer.md))."},
	}
}

func phoneSettings() []setting {
	return []setting{
		{key: "user", values: "text", required: true, doc: "Who it is: the user part of its address, and the name that goes with its password."},
		{key: "name", values: "text", means: "its user, masked", doc: "What rooms call it; its own display name says nothing."},
		{key: "number", values: "number", means: "none", doc: "What it is to the world, such as +33123456742: it calls out as that where the trunk has given us that number."},
		{key: "network", values: "name of a network", means: "the only one", doc: "Where it is."},
		{key: "password", values: "text, file:PATH or env:NAME", secret: true, doc: "Its password. Either this or ha1."},
		{key: "ha1", is: mapping, doc: "What stands for the password: the digest of user:realm:password, in hexadecimal. If any phone has one of the two only, all are asked for that one only.", keys: []setting{
			{key: "sha256", values: "64 hexadecimal digits, file:PATH or env:NAME", secret: true, doc: "By SHA-256."},
			{key: "md5", values: "32 hexadecimal digits, file:PATH or env:NAME", secret: true, doc: "By MD5."},
		}},
		{key: "codecs", is: scalars, values: "G722, opus, PCMA or PCMU", unset: "[G722, opus, PCMA, PCMU]", doc: "What may be spoken, the best first."},
		{key: "gain", values: "on or off", bare: true, means: "sound.gain", doc: "Whether its voice is brought to one level."},
		{key: "gate", values: "on or off", bare: true, means: "sound.gate", doc: "Whether its noise and silence are kept from the room."},
		{key: "srtp", is: scalars, lone: true, values: "off, optional, required or a crypto-suite", unset: "[optional]", doc: "Whether sound is encrypted, as with trunks."},
	}
}

func registrarSettings() []setting {
	return []setting{
		{key: "realm", values: "text", unset: "passerelle", doc: "What passwords are for. It is in every ha1."},
		{key: "from", is: scalars, values: "address or CIDR", unset: `[127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "::1/128", "fc00::/7"]`,
			means: "loopback and private addresses", doc: "Where phones may be. Others get silence; with 0.0.0.0/0 everybody may guess, at the pace that [phones.md](phones.md) says."},
		{key: "algorithms", is: scalars, lone: true, values: "SHA-256 or MD5", unset: "[SHA-256, MD5]",
			doc: "What phones are asked for, in this order. Some that know MD5 only give up where they see another: MD5 alone is for them."},
		{key: "least", values: "duration, 10s to 24h", unset: "1m", doc: "The shortest registration; less is answered 423."},
		{key: "most", values: "duration, 1m to 24h", unset: "2h", doc: "The longest; more is shortened."},
	}
}

func roomSettings() []setting {
	return []setting{
		{key: "name", values: "room name", required: true,
			doc: "The room, and the last part of its page's URL: at most 64 characters, none of them a control character or one of / \\ ? # $, no dash or dot at the beginning, no spaces at the ends."},
		{key: "engine", values: "name of an engine", means: "the embedded one", doc: "Where it is."},
		{key: "password", values: "text, file:PATH or env:NAME", secret: true, means: "none",
			doc: "Asked for on the page. Phones are not asked."},
		{key: "pin", values: "4 to 20 digits, file:PATH or env:NAME", secret: true, means: "no menu leads there",
			doc: "What callers enter in a menu of the engine ([menu.md](menu.md)). No two of an engine are the same; quotes keep its zeros."},
		{key: "moderator", is: mapping, means: "there is none", doc: "Whoever moderates ([rooms.md](rooms.md)): by one of these at least.", keys: []setting{
			{key: "password", values: "text, file:PATH or env:NAME", secret: true, means: "nobody moderates on the page",
				doc: "Makes whoever enters it on the page a moderator, and opens the room as well. In a link it stands behind #moderator=."},
			{key: "pin", values: "4 to 20 digits, file:PATH or env:NAME", secret: true, means: "phones enter as all others",
				doc: "A PIN of the room for moderators, who enter it in the place of the other."},
		}},
		{key: "waiting_room", values: "true or false", unset: "false", bare: true,
			doc: "Whether phones and browsers wait to be let in by a moderator on the page. Moderators enter."},
		{key: "waiting_timeout", values: "duration, 10s to 1h", unset: "10m", doc: "How long they wait; then they are told that nobody has answered."},
		{key: "unmute", values: "self or moderator", unset: "self",
			doc: "Who may unmute whom a moderator has muted. With moderator, callers can raise their hand to ask."},
		{key: "announce", values: "tone, name or none", means: "the engine's", doc: "How the phones there are told who comes and goes."},
	}
}

func httpSettings() []setting {
	return []setting{
		{key: "listen", values: "address:port", unset: "127.0.0.1:8080", override: true,
			doc: "Where the page is served. Without an address: all of this machine's. Browsers give a microphone to https and localhost only."},
		{key: "tls", is: mapping, means: "plain HTTP", doc: "The page over https.", keys: []setting{
			{key: "cert", values: "file:PATH", required: true, override: true,
				doc: "The certificate and its chain, PEM. Read again when the file changes."},
			{key: "key", values: "file:PATH", required: true, override: true, secret: true, doc: "Its private key, PEM."},
		}},
		{key: "behind_proxy", is: scalars, values: "address or CIDR", unset: "[]",
			doc: "Proxies whose X-Forwarded-For is believed."},
		{key: "public_url", values: "http:// or https:// URL", override: true, means: "as the browser's request says",
			doc: "Where browsers find the page, such as https://rooms.example.org, without a path."},
	}
}
