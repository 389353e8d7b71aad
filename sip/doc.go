// Package sip is the phone's voice: listeners, the guard in front of them, and one explicit dialog
// machine for callers and callees, on the lower half of sipgo (docs/sipgo.md). It knows what a call says,
// and neither what the call is about, nor where it goes, nor how it sounds.
package sip
