package rtp

import pion "github.com/pion/rtp"

// rtpPacket is a packet as a peer would send it, made by pion's whole packetizer.
func rtpPacket(payloadType uint8, ssrc uint32, seq uint16, timestamp uint32, payload []byte) []byte {
	p := pion.Packet{
		Header:  pion.Header{Version: 2, PayloadType: payloadType, SequenceNumber: seq, Timestamp: timestamp, SSRC: ssrc},
		Payload: payload,
	}
	data, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return data
}

// sound is 20 ms of PCMU.
func sound(ssrc uint32, seq uint16, timestamp uint32) []byte {
	return rtpPacket(0, ssrc, seq, timestamp, make([]byte, 160))
}
