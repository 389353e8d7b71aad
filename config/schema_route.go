package config

func numbersSetting() setting {
	return setting{key: "numbers", is: mapping, means: "numbers are what they are dialled as", doc: "How numbers are dialled there ([routes.md](routes.md)).", keys: []setting{
		{key: "plan", values: "country, as FR", means: "numbers are what they are dialled as",
			doc: "Whose numbering plan it is: numbers are compared as numbers of the world (E.164)."},
		{key: "outside", values: "1 to 3 digits", doc: "What may be dialled before a number that leaves the house, such as 0."},
		{key: "extensions", is: mapping, doc: "The numbers within the house.", keys: []setting{
			{key: "digits", values: "number, 2 to 8", required: true, bare: true, doc: "How many digits they have; an emergency number is none."},
			{key: "e164", values: "+ and digits with {ext}", doc: "What they are to the world, such as +3312345{ext}."},
		}},
		{key: "ours", is: scalars, lone: true, values: "number, or first..last", means: "nothing is known of whom we may call as",
			doc: "The numbers that the trunk has given us, such as +33123456700..+33123456799: it is told no other ([calling-out.md](calling-out.md))."},
		{key: "present", values: "number", means: "the first of ours, else register.user where that is a number of the world",
			doc: "As whom we call over it where who calls has none of ours."},
	}}
}

func routeSettings() []setting {
	return []setting{
		{key: "from", is: scalars, values: "name of a trunk", means: "phones and trusted trunks", doc: "Whose calls it takes; phones means all that register."},
		{key: "to", values: "text", means: "whatever was dialled", doc: "What was dialled, literally; numbers are compared as numbers. Either this or to_match."},
		{key: "to_match", values: "regular expression (RE2)", doc: "What was dialled, as an expression that must match all of it; or else its number of the world (+33123456789)."},
		{key: "caller", is: scalars, lone: true, values: "text", means: "anybody", doc: "Who calls: one of these; numbers are compared as numbers. Either this or caller_match."},
		{key: "caller_match", values: "regular expression (RE2)", doc: "Who calls, as to_match says what was dialled. Nothing is the number of a caller who withholds it."},
		{key: "transport", is: scalars, lone: true, values: "udp, tcp, tls, ws or wss", means: "any", doc: "What the call comes over."},
		{key: "header", is: mapping, doc: "A header that the INVITE has.", keys: []setting{
			{key: "name", values: "name of a header", required: true, doc: "Which, in any case."},
			{key: "match", values: "regular expression (RE2)", unset: ".*", doc: "What all of one of its values must match."},
		}},
		{key: "hours", is: scalars, lone: true, values: "days and times, as mon-fri 08:00-18:30", means: "always",
			doc: "When it takes calls: within one of these. Days may be left out, or the times; sat 22:00-02:00 ends on Sunday."},
		{key: "zone", values: "time zone, as Europe/Paris", means: "this machine's", doc: "Whose clock hours are of."},
		{key: "room", values: "room name", doc: "Where it leads. With to_match, $1 or ${name} stand for its groups, $$ for a dollar sign. Either this, menu, phone, trunk, announce, echo, reject or redirect."},
		{key: "menu", values: "name of a menu", doc: "Who asks the caller where to."},
		{key: "phone", values: "user of a phone, with to_match a group such as $1", doc: "Which phone rings: every device that has registered as it."},
		{key: "trunk", values: "name of a trunk", doc: "The trunk over which what was dialled is called, as far as outgoing allows; who may is the route's to say."},
		{key: "pin", values: "digits, with to_match a group such as $1, file:PATH or env:NAME", secret: true, means: "the menu asks",
			doc: "What the menu tries before it asks. Without it, that is the INVITE's X-PIN header, if there is one."},
		{key: "announce", values: "closed, unassigned or emergency", doc: "What the caller is told, instead of a room ([menu.md](menu.md) has the words)."},
		{key: "language", values: "fr, en, or another of voices.dir", means: "the trunk's, else the menu's first, else that of the engine's first menu, else en",
			doc: "What callers are spoken to in; a menu begins in it where it speaks it ([menu.md](menu.md#language))."},
		{key: "echo", values: "on", bare: true, doc: "An echo test: callers hear themselves, and with any key how the line is."},
		{key: "reject", values: "number, 400 to 699", bare: true, doc: "The SIP status that refuses the call."},
		{key: "redirect", values: "SIP URI", doc: "Where callers are sent instead (302), with groups as in room: sip:$1@gateway.example.org. Whoever calls must follow it."},
		{key: "video", values: "true or false", bare: true, means: "false",
			doc: "It takes only calls that offer video: with redirect, room systems go where they are seen."},
		{key: "engine", values: "name of an engine", means: "the menu's or room's, else the only one", doc: "Where the room is."},
	}
}
