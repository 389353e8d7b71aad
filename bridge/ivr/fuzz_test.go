package ivr

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzMenu: whatever is pressed and whenever, a menu ends in time, asks no more often than it may, never
// two things at once, says goodbye to those whom it sends away, and leaves nothing behind. Each byte of
// caller is a key and how long before it nothing is pressed; how sets the menu and the registry.
func FuzzMenu(f *testing.F) {
	f.Add([]byte{}, uint16(0), "")
	f.Add([]byte{1, 2, 3, 4}, uint16(4), "1234")
	f.Add([]byte{0x11, 0x2b, 0x3b, 0x4a, 0x21, 0x31}, uint16(0x135), "12 34#")
	f.Add([]byte{0xf1, 0xf2, 0xfb, 0xfa, 0xf1, 0x01, 0x01, 0x01}, uint16(0x4ff), "+33")
	f.Fuzz(func(t *testing.T, caller []byte, how uint16, first string) {
		if len(caller) > 500 {
			return
		}
		synctest.Test(t, func(t *testing.T) { anyCaller(t, caller, how, first) })
	})
}

func anyCaller(t *testing.T, caller []byte, how uint16, first string) {
	voices, names := fakeVoices("en", "fr")
	ear := &ear{names: names, began: time.Now()}
	menu := Menu{Digits: int(how & 7), Tries: int(how >> 3 & 3)}
	registry := &registry{
		ear: ear, pins: []string{"1234", "1", "555"}, slow: time.Duration(how>>5&7) * 700 * time.Millisecond,
		broken: how>>8&7 == 7,
	}
	keys, over, pressed := make(chan rune), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(pressed)
		for _, b := range caller {
			// 0 to 15 s, rather short than long
			pause := time.Duration(b>>4) * time.Duration(b>>4) * 67 * time.Millisecond
			select {
			case <-time.After(pause):
			case <-over:
				return
			}
			select {
			case keys <- rune("0123456789*#*#1A"[b&15]):
			case <-over:
			}
		}
	}()
	_, err := menu.Run(t.Context(), ear, voices, keys, first, registry.find)
	lasted := time.Since(ear.began)
	close(over)
	ear.sounds.Wait()
	<-pressed

	tries := menu.Tries
	if tries == 0 {
		tries = 3
	}
	if registry.lookups > tries || registry.most > 1 || registry.at != 0 {
		t.Errorf("%d lookups in %d tries, %d at once, %d left behind", registry.lookups, tries, registry.most, registry.at)
	}
	if most := allInAll + registry.slow + 4*sentence; lasted > most {
		t.Errorf("it took %v, at most %v", lasted, most)
	}
	if ear.playing != 0 {
		t.Errorf("%d sounds go on", ear.playing)
	}
	if errors.Is(err, context.Canceled) {
		t.Error("it was cancelled by nobody")
	}
	bye := strings.Contains(ear.heard.String(), string(Goodbye))
	if bye != (err != nil) {
		t.Errorf("goodbye was said: %v; the end: %v", bye, err)
	}
	if err != nil && strings.ContainsAny(err.Error(), "0123456789") {
		t.Errorf("an error with digits: %v", err)
	}
}
