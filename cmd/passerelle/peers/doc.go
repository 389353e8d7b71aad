// Package peers proves the gateway with peers that are not ours: it starts phones (sipp, baresip), a
// browser (Chromium) and the gateway itself as processes, has them talk, and brings back what each of
// them recorded. It knows the gateway by its command line and its log only, and how to listen by
// codec/score; its own phone and browser in Go are for exact counts of packets and for wall clocks.
package peers
