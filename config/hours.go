package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are times of the day on days of the week.
type Hours struct {
	Days [7]bool // by time.Weekday
	// From and Until are times since midnight, as the clock on the wall shows them. Until is not within; one that is not
	// after From is on the next day.
	From, Until time.Duration
	text        string
}

// String is the hours as they were written.
func (h Hours) String() string { return h.text }

// Contain reports whether a time, read in its own zone, is within these hours.
func (h Hours) Contain(t time.Time) bool {
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	today, yesterday := h.Days[t.Weekday()], h.Days[(t.Weekday()+6)%7]
	if h.From < h.Until {
		return today && clock >= h.From && clock < h.Until
	}
	return today && clock >= h.From || yesterday && clock < h.Until
}

// weekdays are the days as they are written, by time.Weekday.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

var errHours = errors.New("days and times are wanted, such as mon-fri 08:00-18:30, sat or 22:00-06:00")

// parseHours reads "mon-fri 08:00-18:30", "sat,sun", "22:00-06:00".
func parseHours(text string) (Hours, error) {
	h := Hours{Until: 24 * time.Hour, text: text}
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > 2 {
		return Hours{}, errHours
	}
	last := words[len(words)-1]
	if strings.Contains(last, ":") {
		var err error
		if h.From, h.Until, err = parseSpan(last); err != nil {
			return Hours{}, err
		}
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		h.Days = [7]bool{true, true, true, true, true, true, true}
		return h, nil
	}
	if len(words) == 2 {
		return Hours{}, errHours
	}
	for days := range strings.SplitSeq(words[0], ",") {
		if err := h.add(days); err != nil {
			return Hours{}, err
		}
	}
	return h, nil
}

// add reads "mon" or "mon-fri"; "sat-mon" goes over the week's end.
func (h *Hours) add(days string) error {
	first, last, span := strings.Cut(days, "-")
	if !span {
		last = first
	}
	i, end := slices.Index(weekdays(), first), slices.Index(weekdays(), last)
	if i < 0 || end < 0 {
		return fmt.Errorf("%w; days are %s", errHours, listed(weekdays()))
	}
	for ; i != end; i = (i + 1) % 7 {
		h.Days[i] = true
	}
	h.Days[end] = true
	return nil
}

// parseSpan reads "08:00-18:30".
func parseSpan(text string) (from, until time.Duration, err error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, errHours
	}
	if from, err = parseClock(first); err != nil {
		return 0, 0, err
	}
	if until, err = parseClock(last); err != nil {
		return 0, 0, err
	}
	if from == until || from == 24*time.Hour || until == 0 {
		return 0, 0, errors.New("it begins when it ends")
	}
	return from, until, nil
}

// parseClock reads "08:00"; "24:00" is the end of the day.
func parseClock(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, errHours
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}
