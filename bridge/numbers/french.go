package numbers

import (
	"slices"
	"strings"
)

// frenchEmergency reports whether digits are one of the numbers that are answered by those who save lives in France, all of
// which a telephone must reach (ARCEP's list; the library knows the first three and 112 as emergency numbers).
func frenchEmergency(digits string) bool {
	switch digits {
	case "15", "17", "18", "112", "114", "115", "116000", "116117", "119", "191", "196", "197":
		return true
	}
	return false
}

// french reports whether a region is of the French national plan: ten digits, of which the first is 0, from everywhere to
// everywhere.
func french(region string) bool {
	return slices.Contains([]string{"FR", "GP", "BL", "MF", "GF", "MQ", "RE", "YT"}, region)
}

// overseas returns the number of the world for a French number, national or wrongly made one of +33, of the departments
// that have country codes of their own.
func overseas(digits, region string) (e164 string, ok bool) {
	national, ok := nationalFrench(digits, region)
	if !ok || len(national) != 9 {
		return "", false
	}
	switch national[:3] {
	case "590", "690", "691":
		return "+590" + national, true
	case "594", "694":
		return "+594" + national, true
	case "596", "696", "697":
		return "+596" + national, true
	case "262", "263", "692", "693", "269", "639":
		return "+262" + national, true
	}
	return "", false
}

// metropolitan reports whether digits are a national number of ten digits, dialled in France.
func metropolitan(digits, region string) bool {
	return french(region) && len(digits) == 10 && digits[0] == '0' && digits[1] != '0'
}

// nationalFrench returns the nine digits behind the 0, or behind +33 and 0033.
func nationalFrench(digits, region string) (national string, ok bool) {
	if french(region) {
		for _, prefix := range []string{"0033", "0"} {
			if national, ok = strings.CutPrefix(digits, prefix); ok && len(national) == 9 {
				return national, true
			}
		}
	}
	if national, ok = strings.CutPrefix(digits, "+33"); ok {
		return strings.TrimPrefix(national, "0"), true
	}
	return "", false
}
