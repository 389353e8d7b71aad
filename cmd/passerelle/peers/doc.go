// Package peers proves the gateway with peers that are not ours: it starts phones (sipp, baresip), a
// browser (Chromium), a LiveKit server with its Redis and the gateway itself as processes, has them talk,
// and brings back what each of them recorded. It knows the gateway by its command line and its log only, and how to listen by
// codec/score; its own phone and browser in Go are for exact counts of packets and for wall clocks.
//
// The tests have the build tag "peers"; .ci/peers.sh brings what they need. What they take from the
// environment:
//
//	PASSERELLE_BIN           the gateway; bin/passerelle without it
//	PASSERELLE_LOAD          set: TestLoad runs too
//	PASSERELLE_PROOF         set: the tests that kill servers and gateways run too, and take minutes
//	PASSERELLE_KEEP          set: what the peers wrote stays in .tmp/peers, as it does when a test fails
//	PASSERELLE_SHARED        a folder with torture/rfc4475, the messages of RFC 4475
//	PASSERELLE_CHROMIUM      the browser; /usr/bin/chromium without it
//	PASSERELLE_LIVEKIT       the LiveKit server; .cache/bin/livekit-server without it
//	PASSERELLE_NODE_MODULES  where playwright-core and livekit-client are; .cache/node/node_modules without it
package peers
