package digest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"passerelle/sip/digest"
	"passerelle/sip/digest/ledgertest"
)

func TestMemory(t *testing.T) { ledgertest.Contract(t, new(digest.Memory)) }

func TestMemoryForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m digest.Memory
		m.Wrong([]string{"a"})
		time.Sleep(digest.GuessMemory)
		if n := m.Look([]string{"a"})[0].Wrong; n != 1 {
			t.Errorf("%d after an hour, want 1", n)
		}
		time.Sleep(time.Nanosecond)
		if n := m.Look([]string{"a"})[0].Wrong; n != 0 || len(m.All()) != 0 {
			t.Errorf("%d after more than an hour, want 0", n)
		}
		m.Wrong([]string{"a"})
		if n := m.Look([]string{"a"})[0].Wrong; n != 1 {
			t.Errorf("%d anew, want 1", n)
		}
	})
}
