package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The functions here read one scalar each. Their errors say what is wanted; the caller says where, and what is there.

// parseVersion reads the version of the format.
func parseVersion(text string) (int, error) {
	if text != "1" {
		return 0, errors.New("1 is wanted")
	}
	return 1, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("true or false is wanted")
}

func parseSwitch(text string) (bool, error) {
	switch text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, errors.New("on or off is wanted")
}

// parseNumber returns a function for whole numbers between least and most.
func parseNumber(least, most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("a number from %d to %d is wanted", least, most)
		}
		return n, nil
	}
}

// parseDuration returns a function for durations between least and most.
func parseDuration(least, most time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, errors.New("a duration with its unit is wanted, such as 90s, 10m or 1h30m")
		}
		if d < least || d > most {
			return 0, fmt.Errorf("a duration from %s to %s is wanted", brief(least), brief(most))
		}
		return d, nil
	}
}

// brief writes a duration without the units that are zero: 24h and not 24h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// parseLimit reads how long something may last; 0 is for ever.
func parseLimit(text string) (time.Duration, error) {
	if text == "off" || text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d == 0 {
		return 0, nil
	}
	d, err = parseDuration(time.Second, 24*time.Hour)(text)
	if err != nil {
		return 0, fmt.Errorf("off or %w", err)
	}
	return d, nil
}

func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errors.New("debug, info, warn or error is wanted")
}

func parseCodec(text string) (Codec, error) {
	for _, c := range []Codec{G722, Opus, PCMA, PCMU} {
		if strings.EqualFold(text, string(c)) {
			return c, nil
		}
	}
	return "", errors.New("G722, opus, PCMA or PCMU is wanted")
}

// parseDTMF reads where keys are looked for.
func parseDTMF(text string) (DTMF, error) {
	switch way := DTMF(text); way {
	case DTMFAuto, DTMFInband, DTMFOff:
		return way, nil
	}
	return "", errors.New("auto, inband or off is wanted")
}

// How many digits a PIN has.
const leastPIN, mostPIN = 4, 20

// parseDigits reads how many digits a PIN has; 0 is any number of them.
func parseDigits(text string) (int, error) {
	if text == "any" || text == "0" {
		return 0, nil
	}
	n, err := parseNumber(leastPIN, mostPIN)(text)
	if err != nil {
		return 0, fmt.Errorf("any or %w", err)
	}
	return n, nil
}

// parseBeforeHost reads whether callers wait outside of a meeting in which nobody is.
func parseBeforeHost(text string) (bool, error) {
	switch text {
	case "wait":
		return true, nil
	case "enter":
		return false, nil
	}
	return false, errors.New("wait or enter is wanted")
}

// parseUnmute reads who may unmute whom a moderator has muted: whether nobody else may.
func parseUnmute(text string) (bool, error) {
	switch text {
	case "self":
		return false, nil
	case "moderator":
		return true, nil
	}
	return false, errors.New("self or moderator is wanted")
}

// parseLobby reads whether phones knock.
func parseLobby(text string) (bool, error) {
	switch text {
	case "if-meet-asks":
		return true, nil
	case "never":
		return false, nil
	}
	return false, errors.New("if-meet-asks or never is wanted")
}

// parseName reads the name of a network, an engine, a trunk or a menu.
func parseName(text string) (string, error) {
	for i, c := range []byte(text) {
		if !isLetterOrDigit(c) && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return "", errors.New("a name of letters and digits is wanted, with dots, dashes and underscores within")
		}
	}
	if text == "" || len(text) > 64 {
		return "", errors.New("a name of 1 to 64 letters is wanted")
	}
	return text, nil
}

// isLetterOrDigit reports whether c is an ASCII letter or digit.
func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// parseRoomName reads a room's name: what can be the last part of a URL and be read out.
func parseRoomName(text string) (string, error) {
	switch n := utf8.RuneCountInString(text); {
	case n == 0 || n > 64 || !utf8.ValidString(text):
		return "", errors.New("a name of 1 to 64 characters is wanted")
	case strings.TrimSpace(text) != text, strings.HasPrefix(text, "-"), strings.HasPrefix(text, "."):
		return "", errors.New("a room's name does not begin with a dash or a dot, and has no spaces at its ends")
	case strings.ContainsAny(text, `/\?#$`), strings.ContainsFunc(text, unicode.IsControl):
		return "", errors.New(`a room's name has no control characters and none of / \ ? # $`)
	}
	return text, nil
}

// parsePrefix reads an address or a CIDR.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("an IP address or a CIDR such as 192.0.2.0/24 is wanted")
	case p.Addr().Is4In6():
		return netip.Prefix{}, errors.New("an IPv4 address is written as such")
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("the address has bits beyond its mask; the network is %s", p.Masked())
	}
	return p, nil
}
