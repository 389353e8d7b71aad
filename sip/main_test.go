package sip

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"
)

// testT1 is the T1 of all tests with sockets, sipgo's and ours: 64*T1 is 1.28 s.
const testT1 = 20 * time.Millisecond

func TestMain(m *testing.M) {
	sip.SetTimers(testT1, 8*testT1, 10*testT1)
	goleak.VerifyTestMain(m)
}
