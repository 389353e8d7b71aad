package config

import "strings"

// nearest returns the candidate that word is most like, "" if it is like none: a third of its letters may be
// wrong, two at least. A candidate that ends with the word as a word of its own is what was meant.
func nearest(word string, candidates []string) string {
	for _, candidate := range candidates {
		if strings.HasSuffix(candidate, "_"+word) && len(word) > 2 {
			return candidate
		}
	}
	best, found := max(2, len(word)/3)+1, ""
	for _, candidate := range candidates {
		if d := distance(word, candidate); d < best && d < len(candidate) {
			best, found = d, candidate
		}
	}
	return found
}

// distance returns how many letters must be put in, taken out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
