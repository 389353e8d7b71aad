// Package audio is the engine room: it takes a phone's voice up to its room packet by packet, and brings
// the room's sound down to the phones through one mix per room on a 20 ms clock. It does not know SIP,
// WebRTC or sockets, and reads no wall clock: frames come and go as [codec.Frame].
package audio
