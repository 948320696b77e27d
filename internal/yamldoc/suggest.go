package yamldoc

import "unicode/utf8"

// Nearest returns the word that a mistyped one was likely meant to be.
func Nearest(text string, words []string) (string, bool) {
	runes := []rune(text)
	best, distance := "", max(1, len(runes)/3)+1
	for _, w := range words {
		if apart := utf8.RuneCountInString(w) - len(runes); max(apart, -apart) >= distance {
			continue // so many are to be put in or taken out
		}
		if d := edits(runes, []rune(w)); d < distance {
			best, distance = w, d
		}
	}
	return best, best != ""
}

// edits counts insertions, deletions, replacements and swaps of neighbours that
// turn a into b.
func edits(a, b []rune) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
