package meet

import (
	"fmt"
	"math/rand/v2"
)

// attributes are what a guest of Meet's carries in its token, as Meet's page reads it. The colour is Meet's, or one of
// the range that Meet draws its own from: 50 to 75 % of saturation, 25 to 60 % of lightness.
func attributes(color string) map[string]string {
	if !isColor(color) {
		color = fmt.Sprintf("hsl(%d, %d%%, %d%%)", rand.IntN(361), 50+rand.IntN(26), 25+rand.IntN(36))
	}
	return map[string]string{"color": color, "is_authenticated": "false"}
}

// isColor reports whether text can be a colour of CSS, and nothing else: every browser in the room gets to see it.
func isColor(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '#', c == '(', c == ')', c == ',', c == '.', c == '%', c == ' ', c == '-':
		default:
			return false
		}
	}
	return true
}
