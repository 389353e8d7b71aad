// Package digest proves who somebody is by a password that is never sent (RFC 7616; in SIP RFC 3261 section 22 and
// RFC 8760). It knows challenges, how they are answered, and who guesses. It does not know messages and sockets.
//
// Whoever is challenged has a [Keyring]; whoever challenges has a [Verifier].
package digest
