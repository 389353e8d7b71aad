// Package ivr is what a caller hears and presses where no human answers: spoken prompts in several
// languages, music on hold, the menu that asks for a PIN, and the keys that work during a call. It knows
// sound and keys only: neither who plays the one and sends the other, nor what a PIN opens.
package ivr
